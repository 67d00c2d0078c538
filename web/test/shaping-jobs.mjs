// What each of the shaping pages is for, done as a person does it.
import { flow } from "./flow-jobs.mjs";
import { knowledge } from "./knowledge-jobs.mjs";
import { voice } from "./voice-jobs.mjs";

const unique = () => Math.random().toString(36).slice(2, 8);

const INTENTS = {
  rent: [
    "can I rent a bike",
    "I would like to rent a tandem",
    "how do I hire a bicycle for the weekend",
    "do you lend bikes",
    "I need a bike for two days",
    "is it possible to rent an e-bike",
  ],
  repair: [
    "my brakes are broken",
    "can you repair my bike",
    "I have a flat tyre",
    "the chain fell off",
    "my gears make a noise",
    "I need a service for my bicycle",
  ],
};

/** Waits until a form has nothing left to be saved. While it is being saved, its buttons are already switched off. */
const saved = (form) => form.getByRole("button", { name: "Discard" }).waitFor({ state: "detached" });

async function agents({ page, baseUrl, begin, check }) {
  const name = `Mira ${unique()}`;
  begin("the list shows agents and their status");
  await page.goto(`${baseUrl}/agents`);
  await page.locator("[data-agent]").first().waitFor();
  await check("list");

  begin("an agent is made, published and opened");
  await page.getByRole("button", { name: "New agent" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await check("new agent");
  await dialog.getByRole("button", { name: "New agent" }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await page.getByText("Version 1 answers", { exact: true }).waitFor();
  await check("words");

  begin("a changed greeting is saved as a draft and published");
  const greeting = page.getByLabel("Greeting", { exact: true });
  await greeting.fill("Good day, what can I do for you?");
  await check("unsaved");
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("Draft differs").waitFor();
  await page.getByRole("button", { name: "Publish" }).click();
  await dialog.getByLabel("What is new").fill("A shorter greeting");
  await dialog.getByRole("button", { name: "Publish" }).click();
  await page.getByRole("dialog", { name: "Publish" }).waitFor({ state: "detached" });
  await page.getByText("Version 2 answers", { exact: true }).waitFor();

  begin("unsaved changes are guarded");
  await greeting.fill("Hello?");
  await page.getByRole("link", { name: "Calls" }).first().click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel" }).click();
  await page.getByLabel("Greeting", { exact: true }).waitFor();

  begin("a change of somebody else is not overwritten, and mine is not lost");
  const slug = new URL(page.url()).pathname.split("/").at(-1);
  await page.request.patch(`${baseUrl}/api/v1/agents/${slug}`, {
    headers: { "If-Match": "*" },
    data: { lines: { goodbye: "So long." } },
  });
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("Somebody else changed this agent meanwhile").waitFor();
  await check("conflict");
  await page.getByRole("button", { name: "Put mine on top" }).click();
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("Unsaved changes").waitFor({ state: "detached" });
  const kept = await (await page.request.get(`${baseUrl}/api/v1/agents/${slug}`)).json();
  if (kept.draft.lines.greeting !== "Hello?" || kept.draft.lines.goodbye !== "So long.") {
    throw new Error(`the two changes were not merged: ${JSON.stringify(kept.draft.lines)}`);
  }

  begin("a tool is added");
  await page.getByRole("tab", { name: "Tools" }).click();
  await page.getByRole("button", { name: "Add a tool" }).click();
  await dialog.getByLabel("Name", { exact: true }).first().fill("order_status");
  await dialog.getByLabel("What it does").fill("Looks up where an order is.");
  await dialog.getByLabel("Address").fill("https://api.example.com/orders");
  await dialog.getByRole("button", { name: "Add a parameter" }).click();
  await dialog.getByLabel("Name", { exact: true }).nth(1).fill("order");
  await dialog.getByLabel("What it means").fill("The order number");
  await check("tool editor");
  await dialog.getByRole("button", { name: "Save the tool" }).click();
  await page.locator('[data-tool="order_status"]').waitFor();
  await check("tools");

  begin("the other tabs open");
  await page.getByRole("tab", { name: "Voice and providers" }).click();
  await page.getByText("Hearing (speech to text)").first().waitFor();
  await check("providers");
  await page.getByRole("tab", { name: "Turn-taking" }).click();
  await page.getByText("Patient", { exact: true }).waitFor();
  await check("turns");

  begin("hours and rules are set, and kept with the draft");
  await page.getByRole("tab", { name: "Hours and rules" }).click();
  await page.getByRole("button", { name: "Set hours" }).click();
  await page.getByText("Say something and hang up").click();
  await page.getByLabel("What it says", { exact: true }).fill("We are closed until Monday.");
  await page.getByRole("button", { name: "Add a day" }).click();
  await page.getByLabel("Day", { exact: true }).fill("2030-12-25");
  await page.getByLabel("What it never says").fill("full refund\nI guarantee");
  await page.getByLabel("Subjects it does not talk about").fill("legal advice");
  await check("hours and rules");
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("Unsaved changes").waitFor({ state: "detached" });
  const ruled = (await (await page.request.get(`${baseUrl}/api/v1/agents/${slug}`)).json()).draft;
  if (ruled.guardrails.never_say.length !== 2 || ruled.hours.special[0].date !== "2030-12-25") {
    throw new Error(`the rules are not kept: ${JSON.stringify([ruled.hours, ruled.guardrails])}`);
  }
  if (ruled.hours.outside.text !== "We are closed until Monday.") throw new Error("the words are not kept");
  await page.getByRole("button", { name: "Around the clock again" }).click();
  await page.getByText("It takes calls around the clock.").waitFor();
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("Unsaved changes").waitFor({ state: "detached" });

  begin("the agent learns what customers want, and tells it apart");
  await page.getByRole("tab", { name: "What customers want" }).click();
  for (const [at, [name, examples]] of Object.entries(INTENTS).entries()) {
    await page.getByRole("button", { name: "Add a wish" }).click();
    await page.getByLabel("Wish", { exact: true }).nth(at).fill(name);
    await page.getByLabel("What they say, one a line").nth(at).fill(examples.join("\n"));
  }
  await page.getByRole("button", { name: "Add a thing" }).click();
  await page.getByLabel("Thing", { exact: true }).fill("bike");
  await page.getByLabel("List, one value a line").fill("e-bike: pedelec, electric bike\ntandem");
  await page.getByRole("button", { name: "Save and learn" }).click();
  await page.locator('[data-trained="1"]').waitFor();
  await page.getByLabel("What a caller says").fill("could I rent an electric bike");
  await page.getByRole("button", { name: "What is it?" }).click();
  await page.locator('[data-classified="rent"]').waitFor();
  await page.getByText("bike: e-bike").waitFor();
  await check("training");

  begin("versions are compared, and the first one is published again");
  await page.getByRole("tab", { name: "Versions" }).click();
  await page.locator('[data-version="2"]').waitFor();
  await page.locator('[data-version="1"]').getByRole("button", { name: "Compare" }).click();
  await page.locator('[data-difference="lines.greeting"]').waitFor();
  await check("comparison");
  await page.keyboard.press("Escape");
  await page.locator('[data-version="1"]').getByRole("button", { name: "Go back to it" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Go back to it" }).click();
  await page.getByText("Version 3 answers", { exact: true }).waitFor();

  begin("a share of calls gets another version, and its calls are one click away");
  await page.getByRole("button", { name: "Split the calls" }).click();
  await dialog.getByLabel("Other version").selectOption("2");
  await dialog.getByLabel("Its share, in percent").fill("25");
  await check("a split is set");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.locator('[data-split="2"]').getByText("25 % get version 2").waitFor();
  await check("a split");
  await page.getByRole("link", { name: "Calls of version 2" }).click();
  await page.waitForURL(/agent_version=2/);
  await page.locator('[data-version-filter="2"]').waitFor();
  await check("calls of a version");
  await page.goBack();
  await page.getByRole("button", { name: "End it" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "End it" }).click();
  await page.locator("[data-split]").waitFor({ state: "detached" });

  begin("the agent is talked to beside the editor");
  await page.getByRole("button", { name: "Talk", exact: true }).click();
  await page.getByRole("button", { name: "Type", exact: true }).click();
  await page.locator('[data-role="agent"]').first().waitFor();
  await check("talking");
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.locator("[data-ended]").waitFor();

  begin("the agent is deleted");
  await page.getByRole("button", { name: "Actions" }).click();
  await page.getByRole("menuitem", { name: "Delete the agent" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete the agent" }).click();
  await page.waitForURL(/\/agents$/);
}

const SECTIONS = [
  ["business", "Business"],
  ["branding", "Branding"],
  ["people", "People and roles"],
  ["numbers", "Numbers and routing"],
  ["providers", "Providers"],
  ["keys", "API keys"],
  ["mcp", "Tool servers (MCP)"],
  ["webhooks", "Webhooks"],
  ["plan", "Plan and usage"],
  ["configuration", "Feature flags"],
  ["sign-on", "Single sign-on"],
  ["privacy", "Privacy"],
  ["access", "Address list"],
  ["audit", "Audit log"],
];

async function settings({ page, baseUrl, begin, check, allow }) {
  const dialog = page.getByRole("dialog");
  for (const [section, title] of SECTIONS) {
    begin(`${title} opens`);
    await page.goto(`${baseUrl}/settings/${section}`);
    await page.getByRole("heading", { level: 2, name: title, exact: true }).waitFor();
    await page.waitForLoadState("networkidle");
    await check(section);
  }

  begin("a change of the business by somebody else is not overwritten, and is there once mine is discarded");
  const theirs = `Bicycles ${unique()}`;
  await page.goto(`${baseUrl}/settings/business`);
  await page.getByLabel("Website").fill(`https://${unique()}.example`);
  const other = { headers: { "If-Match": "*" }, data: { industry: theirs } };
  const changed = await page.request.patch(`${baseUrl}/api/v1/business`, other);
  if (!changed.ok()) throw new Error(`the other change: ${await changed.text()}`);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("It was changed meanwhile").first().waitFor();
  await page.getByRole("button", { name: "Discard" }).click();
  await saved(page);
  if ((await page.getByLabel("Line of business").inputValue()) !== theirs)
    throw new Error("the other change is not there");
  await page.getByLabel("Website").fill(`https://${unique()}.example`);
  await page.getByRole("button", { name: "Save" }).click();
  await saved(page);
  const business = await (await page.request.get(`${baseUrl}/api/v1/business`)).json();
  if (business.industry !== theirs) throw new Error(`the other change was overwritten: ${business.industry}`);

  begin("a number is given to a phone platform, which says what it can do and what to tell it");
  const number = `+4940${Math.floor(1_000_000 + Math.random() * 8_999_999)}`;
  await page.goto(`${baseUrl}/settings/numbers`);
  await page.getByRole("button", { name: "Add a number" }).first().click();
  const unready = dialog.getByLabel("Phone platform").locator("option", { hasText: "not set up" }).first();
  await dialog.getByLabel("Phone platform").selectOption(await unready.getAttribute("value"));
  await dialog.getByText("is not set up on this installation yet").waitFor();
  await dialog.getByText(/\/carriers\/\w+\/voice$/).waitFor();
  await check("a platform that is not set up");
  await dialog.getByLabel("Phone platform").selectOption({ label: "Simulated caller" });
  await dialog.locator('[data-can="answer"]').waitFor();
  if (await dialog.locator('[data-can="transfer_cold"]').isVisible()) throw new Error("it can do more than it can");
  await dialog.getByLabel("Number", { exact: true }).fill(number);
  await dialog.getByRole("button", { name: "Save" }).click();
  const line = page.locator(`[data-number="${number}"]`);
  await line.getByText("Simulated caller").waitFor();
  await check("a number");
  await line.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await line.waitFor({ state: "detached" });

  begin("rules for outgoing calls are added and removed by keyboard, and asked about when they are not saved");
  const outgoing = page.locator("[data-outgoing]");
  const focused = (name) => outgoing.getByRole("button", { name }).and(page.locator(":focus")).waitFor();
  for (const [at, prefix] of ["+49", "+1"].entries()) {
    await outgoing.getByRole("button", { name: "Add a rule" }).press("Enter");
    await outgoing.getByLabel("Begins with").nth(at).and(page.locator(":focus")).waitFor();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type(prefix);
  }
  await check("rules");
  await outgoing.getByRole("button", { name: "Remove Rule 1" }).press("Enter");
  await outgoing.getByRole("button", { name: "Remove Rule 2" }).waitFor({ state: "detached" });
  if ((await outgoing.getByLabel("Begins with").inputValue()) !== "+1") throw new Error("another rule is gone");
  await focused("Remove Rule 1");
  await page.getByRole("link", { name: "Calls" }).first().click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel" }).click();
  await outgoing.getByRole("button", { name: "Save" }).click();
  await saved(outgoing);
  await outgoing.getByRole("button", { name: "Remove Rule 1" }).press("Enter");
  await focused("Add a rule");
  await outgoing.getByRole("button", { name: "Discard" }).click();
  await outgoing.getByRole("button", { name: "Remove Rule 1" }).press("Enter");
  await outgoing.getByRole("button", { name: "Save" }).click();
  await saved(outgoing);
  await outgoing.getByText(/^No rules/).waitFor();

  begin("a provider is found by its name");
  await page.goto(`${baseUrl}/settings/providers`);
  await page.getByRole("searchbox").fill("this machine");
  await page.locator("[data-provider]").first().waitFor();
  await page.getByText(/^\d+ of \d+$/).waitFor();
  await check("providers, found");

  begin("a key is made, shown once and revoked");
  const name = `CRM ${unique()}`;
  await page.goto(`${baseUrl}/settings/keys`);
  await page.getByRole("button", { name: "New key" }).click();
  await dialog.getByLabel("Name of the key").fill(name);
  await check("new key");
  await dialog.getByRole("button", { name: "New key" }).click();
  await dialog.getByText(/^fdk_/).waitFor();
  await check("secret");
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  await page.locator(`[data-key="${name}"]`).getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke" }).click();
  await page.locator(`[data-key="${name}"]`).waitFor({ state: "detached" });

  begin("an OAuth client is made, and its id and secret are shown once");
  await page.getByRole("button", { name: "New client" }).click();
  await dialog.getByLabel("Name of the key").fill(name);
  await dialog.getByRole("button", { name: "New client" }).click();
  await dialog.getByText("/api/v1/oauth/token").waitFor();
  await check("client");
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  await page.locator(`[data-client="${name}"]`).getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke" }).click();
  await page.locator(`[data-client="${name}"]`).waitFor({ state: "detached" });

  begin("a directory is connected for signing in");
  const directory = `Company ${unique()}`;
  await page.goto(`${baseUrl}/settings/sign-on`);
  await page.getByRole("button", { name: "Connect a directory" }).click();
  await dialog.getByLabel("Name", { exact: true }).fill(directory);
  await dialog.getByLabel("Address of the directory").fill("https://login.example.com/tenant/v2.0");
  await dialog.getByLabel("Client id").fill("frontdesk");
  await dialog.getByLabel("Domains whose people join").fill("shop.example");
  await check("connect a directory");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByText("/api/v1/auth/oidc/callback").waitFor();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  const connected = page.locator(`[data-identity-provider="${directory}"]`);
  await connected.getByText("shop.example joins as Analyst").waitFor();
  await connected.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await connected.waitFor({ state: "detached" });

  begin("a tool server is named");
  const server = `stock-${unique()}`;
  await page.goto(`${baseUrl}/settings/mcp`);
  await page.getByRole("button", { name: "Add a server" }).click();
  await dialog.getByLabel("Name", { exact: true }).fill(server);
  await dialog.getByLabel("Address", { exact: true }).fill("https://tools.example.invalid/mcp");
  await check("add a tool server");
  await dialog.getByRole("button", { name: "Save" }).click();
  const named = page.locator(`[data-mcp="${server}"]`);
  await named.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await named.waitFor({ state: "detached" });

  begin("the business gets a name and a colour of its own");
  await page.goto(`${baseUrl}/settings/branding`);
  await page.getByLabel("Name", { exact: true }).fill(`Voice ${unique()}`);
  await page.getByLabel("A colour of our own").first().check();
  await page.getByLabel("Domain").fill(`calls-${unique()}.invalid`);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved", { exact: true }).first().waitFor();

  begin("its domain is used once it was proven");
  const proof = page.locator("[data-domain-proof]");
  await proof.getByText(/^frontdesk=/).waitFor();
  await check("a domain to be proven");
  allow("409 (Conflict)");
  await proof.getByRole("button", { name: "Look again" }).click();
  await proof.getByRole("alert").waitFor();
  await page.getByLabel("Domain").fill("");
  await page.getByLabel("Name", { exact: true }).fill("");
  await page.getByLabel("A colour of our own").first().uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  await saved(page);

  begin("what is kept for a shorter time is asked about first");
  await page.goto(`${baseUrl}/settings/privacy`);
  await page.getByLabel("Recordings (days)").fill(String(200 + Math.floor(Math.random() * 100)));
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel" }).click();
  await check("privacy, changed");

  begin("a webhook is made, and its deliveries are listed");
  const url = `https://shop-${unique()}.example/hooks`;
  await page.goto(`${baseUrl}/settings/webhooks`);
  await page.getByRole("button", { name: "Add a webhook" }).click();
  await dialog.getByLabel("Address").fill(url);
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByText(/^whsec_/).waitFor();
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  await page.locator(`[data-webhook="${url}"]`).getByRole("button", { name: "Deliveries" }).click();
  await dialog.getByText("Nothing was delivered yet").waitFor();
  await check("deliveries");
  await page.keyboard.press("Escape");
  await page.locator(`[data-webhook="${url}"]`).getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await page.locator(`[data-webhook="${url}"]`).waitFor({ state: "detached" });

  begin("somebody is invited by a link");
  await page.goto(`${baseUrl}/settings/people`);
  await page.getByRole("button", { name: "Invite somebody" }).click();
  await dialog.getByLabel("E-mail address").fill(`${unique()}@shop.example`);
  await dialog.getByRole("button", { name: "Invite somebody" }).click();
  await dialog.getByText("/invitation#token=").waitFor();
  await check("invited");

  begin("the audit log says so");
  await page.goto(`${baseUrl}/settings/audit`);
  await page.getByText("create_invitation").first().waitFor();
}

async function security({ page, baseUrl, begin, check }) {
  begin("an owner registers and sees what protects the account");
  const slug = `shop-${unique()}`;
  const owner = { email: `${slug}@shop.example`, password: "a bicycle with two bells" };
  const registration = { business_name: slug, slug, name: "Mira", ...owner };
  await page.request.post(`${baseUrl}/api/v1/auth/register`, { data: registration });
  await page.request.post(`${baseUrl}/api/v1/auth/login`, { data: { ...owner, business: slug, cookies: true } });
  await page.goto(`${baseUrl}/settings/security`);
  await page.getByText("This one").waitFor();
  await check("security");

  begin("the second factor begins with a picture to scan");
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByRole("img", { name: /QR code/ }).waitFor();
  await check("second factor");
}

async function operations({ page, baseUrl, begin, check, allow }) {
  // A node that is drained says so to whoever asks whether it is ready, and the page asks.
  allow(`503 (Service Unavailable) (${baseUrl}/readyz`);
  begin("nodes are listed with what they carry");
  await page.goto(`${baseUrl}/operations`);
  const node = page.locator("[data-node]").first();
  await node.getByText("answers this page").waitFor();
  await page.locator("[data-provider]").first().waitFor();
  await check("operations");

  begin("a node is drained after a question, and takes calls again");
  await node.getByRole("button", { name: /^Drain/ }).click();
  await page.getByRole("alertdialog").getByText("No other node takes calls").waitFor();
  await check("drain a node");
  await page.getByRole("alertdialog").getByRole("button", { name: "Drain" }).click();
  await page.locator('[data-node-state="draining"], [data-node-state="will_drain"]').first().waitFor();
  await check("draining");
  await node.getByRole("button", { name: /^Take calls again/ }).click();
  await page.locator('[data-node-state="live"]').first().waitFor();

  begin("a provider is switched off after a question, and on again");
  const provider = page.locator("[data-provider]").first();
  await provider.getByRole("button", { name: /^Switch off/ }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Switch off" }).click();
  await provider.getByText("Switched off", { exact: true }).waitFor();
  await check("a provider is off");
  await provider.getByRole("button", { name: /^Switch on/ }).click();
  await provider.getByRole("button", { name: /^Switch off/ }).waitFor();
}

export const JOBS = { agents, voice, flow, knowledge, settings, security, operations };
