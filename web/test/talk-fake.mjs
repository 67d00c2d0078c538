// The browser test against the stand-in server, with two seconds of babble as the caller.
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testAccessibility } from "./accessibility.mjs";
import { startFakeServer } from "./fake-server.mjs";
import { testTalk } from "./talk.mjs";
import { testTrouble } from "./trouble.mjs";
import { wav } from "./wav.mjs";

const HZ = 16_000;
const samples = new Int16Array(2 * HZ);
for (let i = 0; i < samples.length; i++) {
  samples[i] = Math.sin((2 * Math.PI * 180 * i) / HZ) * (9_000 + 6_000 * Math.sin((2 * Math.PI * 4 * i) / HZ));
}
const file = join(await mkdtemp(join(tmpdir(), "frontdesk-voice-")), "caller.wav");
await writeFile(file, wav(1, HZ, Buffer.from(samples.buffer)));

const server = await startFakeServer();
let code = 0;
try {
  await testTalk(server.url, file);
} catch (error) {
  console.error(error.message);
  code = 1;
}
server.stop();
if ((await testTrouble()) > 0) code = 1;
if ((await testAccessibility()) > 0) code = 1;
process.exit(code);
