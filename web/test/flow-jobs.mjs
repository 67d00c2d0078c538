// What the editor of flows is for, done as a person does it: with a pointer where there is room, by the list on a phone.

const unique = () => Math.random().toString(36).slice(2, 8);
const ORDER_STATUS = {
  name: "order_status",
  description: "Looks up where an order is.",
  action: { kind: "lookup", table: "orders" },
  parameters: [
    { name: "order_id", description: "The number of the order.", kind: { kind: "pattern", regex: "\\d{5}" } },
  ],
};

async function newAgent({ page, baseUrl }) {
  const slug = `flow-${unique()}`;
  const made = await page.request.post(`${baseUrl}/api/v1/agents`, {
    data: { slug, name: "Sam", business_name: "Brightleaf", tools: [ORDER_STATUS] },
  });
  if (!made.ok()) throw new Error(`no agent: ${await made.text()}`);
  return slug;
}

export async function flow({ page, baseUrl, begin, check }) {
  const isPhone = page.viewportSize().width < 768;
  const slug = await newAgent({ page, baseUrl });
  const draft = async () => (await (await page.request.get(`${baseUrl}/api/v1/agents/${slug}`)).json()).draft;
  const step = (id) => page.locator(`[data-step="${id}"]`);
  const inspector = (id) => page.locator(`[data-inspector="${id}"]`);
  const open = async (id) => {
    if (await inspector(id).isVisible()) return;
    if (await page.locator("[data-flow-canvas]").isVisible()) await step(id).click();
    else await step(id).getByRole("button").first().click();
    await inspector(id).waitFor();
  };
  const add = async (kind) => {
    await page.getByRole("button", { name: "Add a step" }).click();
    await page.getByRole("menuitem", { name: kind, exact: true }).click();
  };

  begin("an agent without a flow says what one is for");
  await page.goto(`${baseUrl}/agents/${slug}?tab=flow`);
  await page.getByText("This agent only talks").waitFor();
  await check("no flow");
  await page.getByRole("button", { name: "Create a flow" }).click();
  await step("ask").waitFor();

  begin("a question is written, with what its answer looks like");
  await open("ask");
  await inspector("ask").getByLabel("The question").fill("What is the number of your order?");
  await inspector("ask").getByLabel("Keep the answer in").fill("order");
  await inspector("ask").getByLabel("An answer is").selectOption("pattern");
  await inspector("ask").getByLabel("Regular expression").fill("\\d{5}");
  await check("a question");

  begin("a step that is renamed takes its ways along");
  const name = inspector("ask").getByLabel("Name of the step");
  await name.fill("end");
  await inspector("ask").getByText("Another step has this name.").waitFor();
  await name.fill("number");
  await name.press("Enter");
  await inspector("number").waitFor();

  begin("a new step follows the open way of the one that is chosen, and says what it lacks");
  await add("Use a tool");
  await inspector("tool").getByText("The agent has no such tool.").waitFor();
  await inspector("tool").getByLabel("Tool", { exact: true }).selectOption("order_status");
  await inspector("tool").getByText("The arguments do not fit the tool.").waitFor();
  await check("problems");
  await inspector("tool").getByLabel("order_id").fill("{order}");
  await inspector("tool").getByLabel("Keep its answer in").fill("found");
  await inspector("tool").getByLabel("Then", { exact: true }).selectOption("end");
  await open("number");
  await inspector("number").getByLabel("Answered", { exact: true }).selectOption("tool");
  await inspector("number").getByLabel("No answer", { exact: true }).selectOption("");
  await open("end");
  await inspector("end").getByLabel("Last words").fill("Order {order} is {found}.");
  await page.getByText("3 steps, ready to be published").waitFor();

  begin("a test run lights the path that it takes");
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  const log = page.getByRole("log", { name: "How it goes" });
  await log.getByText("What is the number of your order?").waitFor();
  await page.getByLabel("order_status answers").fill("on its way");
  const say = async (text) => {
    await page.getByLabel("The caller says").fill(text);
    await page.getByLabel("The caller says").press("Enter");
    await log.getByText(text).waitFor();
  };
  await say("How long does it take?");
  await log.getByText("Talked about freely, then asked again").waitFor();
  await page.locator('[data-step="number"][data-lit]').waitFor();
  if ((await page.locator('[data-step="end"][data-lit]').count()) > 0) throw new Error("the end is lit too early");
  await say("It is one zero zero two two.");
  await log.getByText("Order 10022 is on its way.").waitFor();
  await page.locator('[data-flow-end="ended"]').waitFor();
  await page.locator('[data-variable="order"]', { hasText: "10022" }).waitFor();
  await page.locator('[data-step="end"][data-lit]').waitFor();
  await check("a test run");

  if (isPhone) await page.getByRole("button", { name: "Canvas", exact: true }).click();
  else await pointed({ page, begin, step, inspector, add });
  await check("canvas");
  await page.getByRole("button", { name: "List", exact: true }).click();
  await page.getByRole("list", { name: "Steps of the flow" }).waitFor();
  await check("list");

  begin("the flow is saved with the draft, and published with it");
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("Unsaved changes").waitFor({ state: "detached" });
  const saved = (await draft()).flow;
  if (saved.start !== "number" || saved.nodes.find(({ id }) => id === "number").next !== "tool") {
    throw new Error(`the flow is not as it was drawn: ${JSON.stringify(saved)}`);
  }
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
  await page.getByText("Version 1 answers", { exact: true }).waitFor();

  await menu({ page, begin, check, add, inspector });

  begin("the flow is taken away");
  await page.getByRole("button", { name: "Take the flow away" }).click();
  await check("taken away");
  await page.getByRole("alertdialog").getByRole("button", { name: "Take the flow away" }).click();
  await page.getByText("This agent only talks").waitFor();
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("Unsaved changes").waitFor({ state: "detached" });
  if ((await draft()).flow !== null) throw new Error("the flow is still there");
}

async function menu({ page, begin, check, add, inspector }) {
  begin("a choice of a menu keeps its words when the one before it goes, and the focus stays with the choices");
  await add("Menu");
  const step = inspector("menu");
  const words = step.getByLabel("Words", { exact: true });
  await words.fill("orders, my order");
  await step.getByRole("button", { name: "Add a choice" }).click();
  await words.nth(1).fill("repairs");
  await step.getByRole("button", { name: "Remove Choice 1" }).click();
  await step.getByRole("button", { name: "Remove Choice 2" }).waitFor({ state: "detached" });
  if ((await words.inputValue()) !== "repairs") throw new Error("the words of another choice are shown");
  await step.getByRole("button", { name: "Remove Choice 1" }).and(page.locator(":focus")).waitFor();

  begin("a number is typed as it comes, and what is out of bounds is said beside the field");
  const silence = step.getByLabel("Seconds of silence");
  await silence.fill("45");
  await step.getByText("A whole number from 2 to 30.").waitFor();
  await silence.fill("");
  await silence.pressSequentially("10");
  await step.getByText("A whole number from 2 to 30.").waitFor({ state: "detached" });
  if ((await silence.inputValue()) !== "10") throw new Error("the number is not as it was typed");
  await check("a menu");
}

async function pointed({ page, begin, step, inspector, add }) {
  begin("steps are connected with the pointer");
  await page.locator("[data-flow-canvas] .react-flow__pane").click({ position: { x: 8, y: 8 } });
  await add("Connect with a person");
  await page.getByText("No way leads here.").first().waitFor();
  await page.getByRole("button", { name: "Show everything" }).click();
  const from = await step("number").locator('[data-handleid="otherwise"]').boundingBox();
  const to = await step("transfer").boundingBox();
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width / 2, to.y + 20, { steps: 8 });
  await page.mouse.move(to.x + to.width / 2, to.y + 2, { steps: 4 });
  await page.mouse.up();
  await page.getByText("4 steps, ready to be published").waitFor();

  begin("a step is chosen, moved, removed and put back by keyboard");
  const node = page.locator(".react-flow__node", { has: step("transfer") });
  await node.focus();
  await page.keyboard.press("Enter");
  await inspector("transfer").waitFor();
  const before = await node.boundingBox();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(
    ([id, x]) => document.querySelector(`[data-step="${id}"]`).getBoundingClientRect().x > x + 1,
    ["transfer", before.x],
  );
  await page.keyboard.press("Delete");
  await step("transfer").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Put the step back" }).click();
  await step("transfer").waitFor();
  await page.getByText("4 steps, ready to be published").waitFor();
  await page.getByRole("button", { name: "Arrange" }).click();
}
