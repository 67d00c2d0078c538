// Hearing a voice before it is chosen, done as a person does it.
const unique = () => Math.random().toString(36).slice(2, 8);
const GREETING = "Good day, this is Mira.";
const PREVIEW = "/api/v1/voices/preview";
/** Of full scale. A voice is far louder, silence is nothing. */
const LOUD_MIN = 0.02;
const SECS_MIN = 0.8;

/** Throws unless these bytes are a WAV of 16-bit mono in which something is said. */
function heard(bytes) {
  const word = (at) => bytes.toString("latin1", at, at + 4);
  if (word(0) !== "RIFF" || word(8) !== "WAVE") throw new Error(`what is played is no WAV, in ${bytes.length} bytes`);
  const hz = bytes.readUInt32LE(24);
  let at = 12;
  while (word(at) !== "data") at += 8 + bytes.readUInt32LE(at + 4);
  const pcm = new Int16Array(
    bytes.buffer.slice(bytes.byteOffset + at + 8, bytes.byteOffset + bytes.length - (bytes.length % 2)),
  );
  const loud = Math.sqrt(pcm.reduce((sum, one) => sum + one * one, 0) / pcm.length) / 32_768;
  if (pcm.length < SECS_MIN * hz || loud < LOUD_MIN) {
    throw new Error(`nothing is said in ${(pcm.length / hz).toFixed(1)} s of preview at ${loud.toFixed(4)}`);
  }
}

export async function voice({ page, baseUrl, begin, check, allow }) {
  const slug = `mira-${unique()}`;
  const agent = { slug, name: "Mira", lines: { greeting: GREETING } };
  const made = await page.request.post(`${baseUrl}/api/v1/agents`, { data: agent });
  if (!made.ok()) throw new Error(`no agent: ${await made.text()}`);
  const dialog = page.getByRole("dialog");
  const listen = dialog.getByRole("button", { name: /^Listen to/ }).first();
  const stop = dialog.getByRole("button", { name: "Stop" });
  const asked = [];
  page.on("request", (request) => request.url().endsWith(PREVIEW) && asked.push(request));

  // Of what the page plays, as Chromium's tools do not tell the body of such an answer.
  await page.addInitScript(() => {
    const urlOf = URL.createObjectURL.bind(URL);
    URL.createObjectURL = (blob) => {
      window.__played = blob;
      return urlOf(blob);
    };
  });
  const played = () =>
    page.evaluate(async () => {
      const bytes = new Uint8Array(await window.__played.arrayBuffer());
      return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    });

  begin("a voice says the agent's own words");
  await page.goto(`${baseUrl}/agents/${slug}?tab=providers`);
  await page
    .getByRole("button", { name: /^Voices:/ })
    .first()
    .click();
  await listen.waitFor();
  if ((await dialog.getByLabel("What it says").inputValue()) !== GREETING) throw new Error("it says something else");
  await check("voices");
  await listen.click();
  await stop.waitFor();
  heard(Buffer.from(await played(), "latin1"));
  await check("a voice is heard");
  await listen.waitFor();

  begin("what was heard once is not made again, and is stopped in the middle");
  await listen.click();
  await stop.click();
  await listen.waitFor();
  if (asked.length !== 1) throw new Error(`the preview was made ${asked.length} times`);

  begin("nothing can be said without words, and what fails is told");
  const words = dialog.getByLabel("What it says");
  await words.fill(" ");
  await listen.and(page.locator(":disabled")).waitFor();
  await words.fill("Another sentence.");
  allow("net::ERR_INTERNET_DISCONNECTED");
  await page.context().setOffline(true);
  await listen.click();
  await dialog.getByRole("alert").getByText("cannot be reached").waitFor();
  await check("a preview fails");
  await page.context().setOffline(false);
  await listen.click();
  await stop.waitFor();
  await dialog.getByRole("alert").waitFor({ state: "detached" });

  begin("a voice is chosen, and kept with the draft");
  await dialog
    .getByRole("button", { name: /^Take it/ })
    .first()
    .click();
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("Unsaved changes").waitFor({ state: "detached" });
  const kept = await (await page.request.get(`${baseUrl}/api/v1/agents/${slug}`)).json();
  if (!kept.draft.voice) throw new Error("no voice is kept");

  begin("a provider that is not set up says so instead of voices");
  const add = page.getByLabel("Add a provider: Speaking (text to speech)");
  const unready = await add.locator("option", { hasText: "not set up" }).first().getAttribute("value");
  await add.selectOption(unready);
  await page
    .getByRole("button", { name: /^Voices:/ })
    .last()
    .click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByRole("link", { name: "Set up providers" }).waitFor();
  await check("a provider without a credential");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });

  await page.request.delete(`${baseUrl}/api/v1/agents/${slug}`);
}
