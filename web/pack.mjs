// Writes a compressed copy beside every file of dist that gains by it: the program serves those as they are
// (crates/api/src/assets.rs), and nothing is compressed while somebody waits.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";

const DIST = fileURLToPath(new URL("dist/", import.meta.url));
const TEXT = /\.(css|html|js|json|svg|webmanifest)$/;
/** A smaller file goes in one packet either way. */
const BYTES_MIN = 1_200;

let [plain, packed] = [0, 0];
for (const entry of await readdir(DIST, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !TEXT.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const bytes = await readFile(path);
  if (bytes.length < BYTES_MIN) continue;
  const small = gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION });
  await writeFile(`${path}.gz`, small);
  plain += bytes.length;
  packed += small.length;
}
console.log(`packed: ${Math.round(plain / 1000)} kB of text are ${Math.round(packed / 1000)} kB, gzip`);
