// What the pages of knowledge are for, done as a person does it.
import { createServer } from "node:http";
import { chunk, wav } from "./wav.mjs";

const unique = () => Math.random().toString(36).slice(2, 8);
const TERMS = `# Terms of rental

Bicycles are rented by the day or by the week. A deposit of 80 euros is paid by card.

## Late return

Whoever brings a bicycle back late pays 12 euros for every day that was begun.

## Helmets

Helmets are lent free of charge, as long as there are some.
`;
const PAGES = {
  "/": '<html><title>Help</title><body><h1>Help</h1><p>All our help in one place.</p><a href="/trailers">Trailers</a></body></html>',
  "/trailers":
    "<html><title>Trailers</title><body><h1>Trailers for children</h1><p>A trailer for two children costs 25 euros a day and carries 40 kilograms.</p></body></html>",
};

/** A site of two pages, and one that its robots.txt forbids. */
async function site() {
  const server = createServer(({ url }, response) => {
    const page = PAGES[url];
    const robots = url === "/robots.txt";
    response.writeHead(page === undefined && !robots ? 404 : 200, {
      "content-type": robots ? "text/plain" : "text/html",
    });
    response.end(robots ? "User-agent: *\nAllow: /\n" : (page ?? ""));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}

async function askedInACall(page, baseUrl, question) {
  const made = await page.request.post(`${baseUrl}/api/v1/test-calls`, { data: { agent: "robin", say: [question] } });
  if (!made.ok()) throw new Error(`no test call: ${await made.text()}`);
}

const open = (page, baseUrl, tab) => page.goto(`${baseUrl}/knowledge${tab === undefined ? "" : `?tab=${tab}`}`);

export async function knowledge(all) {
  // What is answered here must not be known to the next one that comes.
  for (const name of ["answers-do-you-sell-gift-cards", "answers-do-you-have-a-swimming-pool"]) {
    await all.page.request.delete(`${all.baseUrl}/api/v1/knowledge/documents/${name}`);
  }
  const gap = "Do you have a swimming pool?";
  await askedInACall(all.page, all.baseUrl, gap);
  await documents(all);
  await trying(all);
  await gaps(all, gap);
  await recordings(all);
  await quality(all);
  await graph(all);
  await sites(all);
}

async function documents({ page, baseUrl, begin, check }) {
  const name = `terms-${unique()}.md`;
  begin("files are taken in, and each one that is refused says why");
  await open(page, baseUrl);
  await page.locator("[data-document]").first().waitFor();
  await check("documents");
  await page.locator('input[type="file"]').setInputFiles([
    { name, mimeType: "text/markdown", buffer: Buffer.from(TERMS) },
    { name: "logo.png", mimeType: "image/png", buffer: Buffer.from("89504e470d0a1a0a0000000d49484452", "hex") },
    { name: "empty.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) },
  ]);
  await page.locator('[data-work-state="refused"]').getByText("empty.txt").waitFor();
  await page.locator('[data-refused="logo.png"]').getByText("It is damaged").waitFor();
  const row = page.locator(`[data-document="${name.replace(".", "-")}"]`);
  await row.waitFor();
  await check("taken in");

  begin("a text is written, and a pair of question and answer");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("menuitem", { name: "Write a text" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Title").fill(`Parking ${unique()}`);
  await dialog.getByLabel("Text", { exact: true }).fill("# Parking\n\nThere are two parking bays behind the building.");
  await check("write a text");
  await dialog.getByRole("button", { name: "Take it in" }).click();
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("menuitem", { name: "Questions and answers" }).click();
  await dialog.getByLabel("Question", { exact: true }).fill("Do you sell gift cards?");
  await dialog.getByLabel("Answer", { exact: true }).fill("Yes, from 20 euros on, at the counter.");
  await dialog.getByRole("button", { name: "Another question" }).click();
  await check("questions and answers");
  await dialog.getByRole("button", { name: "Remove" }).last().click();
  await dialog.getByRole("button", { name: "Take it in" }).click();
  await page.locator('[data-document="answers-do-you-sell-gift-cards"]').waitFor();

  begin("a document shows its headings and passages, and is deleted");
  await page.getByRole("searchbox").fill("rental");
  await row.getByRole("link").click();
  await page.getByRole("heading", { level: 1, name: "Terms of rental" }).waitFor();
  await page.getByText("pays 12 euros for every day").waitFor();
  await page.locator('[data-version="1"]').waitFor();
  await check("a document");
  await page.getByRole("button", { name: "Delete" }).click();
  await check("delete a document");
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await page.locator("[data-document]").first().waitFor();
  await row.waitFor({ state: "detached" });
}

async function trying({ page, baseUrl, begin, check }) {
  begin("a question shows what was found, its scores and what the gate decided");
  await open(page, baseUrl, "try");
  await page.getByRole("searchbox").fill("When are you open on Saturday?");
  await page.getByRole("button", { name: "Ask" }).click();
  await page.locator('[data-decision="answer"]').waitFor();
  await page.locator("[data-said]").getByText("Saturday").waitFor();
  await page.locator('[data-candidate="2"]').waitFor();
  await check("answered");

  begin("what no document answers is declined");
  await page.getByRole("searchbox").fill("Can you teach me to play the trombone?");
  await page.getByRole("button", { name: "Ask" }).click();
  await page.locator('[data-decision="decline"]').waitFor();
  await check("declined");
}

async function gaps({ page, baseUrl, begin, check }, question) {
  begin("what callers asked in vain is listed, and answered");
  await open(page, baseUrl, "gaps");
  const row = page.locator(`[data-gap="${question}"]`);
  const until = Date.now() + 30_000;
  while (!(await row.isVisible()) && Date.now() < until) {
    await page.reload();
    await row.waitFor({ timeout: 2_000 }).catch(() => {});
  }
  await check("gaps");
  await row.getByRole("button", { name: "Answer it" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Answer", { exact: true }).fill("No, the nearest one is in Canal Park.");
  await check("answer it");
  await dialog.getByRole("button", { name: "Take it in" }).click();
  await row.waitFor({ state: "detached" });
}

/** What was rejected or accepted in one look is not proposed in the next one. */
const ASKED = [
  ["Do you wrap a bicycle as a gift?", "Yes, we wrap every bicycle in paper, with a ribbon and a card of your choice."],
  ["Can I leave my dog in the shop?", "Of course, dogs are welcome in the shop, as long as they are kept on a lead."],
  ["Is there a toilet for customers?", "Yes, the toilet for customers is upstairs, behind the room with the helmets."],
];
let asked = 0;

/** A recorded call: the customer asks on the first channel, then the business answers on the second. */
async function recordedCall(page, baseUrl) {
  const said = [];
  for (const text of ASKED[asked++ % ASKED.length]) {
    const data = { provider: "local", text };
    const answer = await page.request.post(`${baseUrl}/api/v1/voices/preview`, { data });
    if (!answer.ok()) throw new Error(`no voice: ${await answer.text()}`);
    said.push(await answer.body());
  }
  const hz = chunk(said[0], "fmt ").readUInt32LE(4);
  const words = said.map((bytes) => chunk(bytes, "data"));
  const pause = Buffer.alloc(hz * 2);
  const [left, right] = [0, 1].map((side) =>
    Buffer.concat(words.flatMap((one, at) => [at === side ? one : Buffer.alloc(one.length), pause])),
  );
  const both = Buffer.alloc(left.length * 2);
  for (let at = 0; at + 1 < left.length; at += 2) {
    left.copy(both, at * 2, at, at + 2);
    right.copy(both, at * 2 + 2, at, at + 2);
  }
  return wav(2, hz, both);
}

async function recordings({ page, baseUrl, begin, check }) {
  begin("a recorded call is heard, and what it teaches waits for somebody to decide");
  const name = `call-${unique()}.wav`;
  await open(page, baseUrl, "calls");
  await page
    .getByText(/^(Nothing to decide on|Calls that were heard)$/)
    .first()
    .waitFor();
  await check("no proposals");
  const buffer = await recordedCall(page, baseUrl);
  await page.locator('input[type="file"]').setInputFiles([{ name, mimeType: "audio/wav", buffer }]);
  const proposed = page.locator("[data-proposal]");
  await proposed.first().waitFor({ timeout: 60_000 });
  await check("proposals");

  begin("it is put in better words, accepted, and the transcript is deleted after a question");
  await proposed
    .first()
    .getByRole("button", { name: /^Change/ })
    .click();
  const dialog = page.getByRole("dialog");
  const question = `Is it so, ${unique()}?`;
  await dialog.getByLabel("Question", { exact: true }).fill(question);
  await check("change a proposal");
  await dialog.getByRole("button", { name: "Save" }).click();
  const row = page.locator(`[data-proposal="${question}"]`);
  await row.getByRole("button", { name: `Accept ${question}` }).click();
  await row.waitFor({ state: "detached" });
  const heard = page.locator(`[data-heard="${name}"]`);
  await heard.getByRole("button", { name: `Delete transcript ${name}` }).click();
  await check("delete a transcript");
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete transcript" }).click();
  await heard.waitFor({ state: "detached" });
}

async function quality({ page, baseUrl, begin, check }) {
  begin("questions are kept, and asked: the report says how good the answers are");
  await open(page, baseUrl, "quality");
  await page.getByRole("button", { name: "Paste many" }).click();
  const dialog = page.getByRole("dialog");
  const text =
    "Opening hours\tare you open on Saturday\n-\tdo you sell aeroplanes\nShop address\thow long is the warranty";
  await dialog.getByRole("textbox").fill(text);
  await check("paste many");
  await dialog.getByRole("button", { name: "Add 3 questions" }).click();
  await page.locator('[data-question="do you sell aeroplanes"]').first().waitFor();
  const known = page.locator("[data-report]");
  await known.or(page.getByText(/^Nothing was measured yet/)).waitFor();
  const before = (await known.count()) > 0 ? await known.getAttribute("data-report") : null;
  await page.getByRole("button", { name: "Measure now" }).click();
  const report = before === null ? "[data-report]" : `[data-report]:not([data-report="${before}"])`;
  await page.locator(report).waitFor();
  await check("quality");
  await page
    .getByRole("button", { name: /^\d+ miss/ })
    .first()
    .click();
  await page.locator('[data-miss="how long is the warranty"]').first().waitFor();
  await check("misses");
  await page.keyboard.press("Escape");

  begin("all passages are indexed again");
  await page.getByRole("button", { name: "Index again" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Index again" }).click();
  await page.getByText("every passage has its new vector").first().waitFor();
}

async function graph({ page, baseUrl, begin, check }) {
  begin("a thing is added to what is known, something is said of it, and it is found by its name");
  const name = `Cargo bike ${unique()}`;
  await open(page, baseUrl, "graph");
  await page.getByRole("button", { name: "Add a thing" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await dialog.getByLabel("Also called").fill("Long John");
  await check("add a thing");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.locator(`[data-entity-open="${name}"]`).waitFor();
  await page.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: "Say something of it" }).click();
  await dialog.getByLabel("What is said").fill("costs a day");
  await dialog.getByLabel("Value").fill("55 euros");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("55 euros").first().waitFor();
  await check("a thing");
  await page.getByRole("searchbox").fill(name);
  await page.getByText(/^1 of /).waitFor();

  if (page.viewportSize().width >= 1024) {
    begin("the picture is looked at closer, and shown as a whole again");
    await page.locator(`[data-spot="${name}"]`).waitFor();
    await page.getByRole("button", { name: "Larger" }).click();
    await page.getByRole("button", { name: "Smaller" }).and(page.locator(":enabled")).waitFor();
    await check("graph, larger");
    await page.getByRole("button", { name: "Show everything" }).click();
    await page.getByRole("button", { name: "Smaller" }).and(page.locator(":disabled")).waitFor();
  }

  begin("a thing is taken out again");
  await page.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await page.locator(`[data-entity-open="${name}"]`).waitFor({ state: "detached" });
}

async function sites({ page, baseUrl, begin, check }) {
  begin("a site is visited, and its pages are documents");
  const { url, stop } = await site();
  try {
    await open(page, baseUrl, "sites");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("menuitem", { name: "Add a site" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("First page").fill(url);
    await dialog.getByLabel("Visit again").selectOption("24");
    await check("add a site");
    await dialog.getByRole("button", { name: "Visit now" }).click();
    const row = page.locator(`[data-site="${url}"]`);
    await row.getByText(/^Visited/).waitFor();
    await check("sites");
    await row.getByRole("button", { name: "2 pages" }).click();
    await dialog.getByRole("link", { name: /trailers/ }).click();
    await page.getByText("carries 40 kilograms").waitFor();
  } finally {
    stop();
  }
}
