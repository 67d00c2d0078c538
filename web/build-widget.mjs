// Builds the website's widget and its audio worklets into dist: two files with names that stay, since they stand in the
// source of other people's pages.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const GZIP_BYTES_MAX = 40_000;
const sdk = fileURLToPath(new URL("../sdks/js/", import.meta.url));
const outDir = fileURLToPath(new URL("dist/", import.meta.url));

for (const [entry, fileName] of [
  ["widget/main.ts", "widget.js"],
  ["src/audio/worklets.ts", "widget/audio.js"],
]) {
  await build({
    configFile: false,
    logLevel: "warn",
    root: sdk,
    publicDir: false,
    build: {
      outDir,
      emptyOutDir: false,
      target: "es2022",
      lib: { entry: `${sdk}${entry}`, formats: ["iife"], name: "FrontdeskBundle", fileName: () => fileName },
    },
  });
  const bytes = gzipSync(await readFile(`${outDir}${fileName}`)).length;
  console.log(`${fileName}: ${(bytes / 1000).toFixed(1)} kB, gzip`);
  if (bytes > GZIP_BYTES_MAX) {
    console.error(`${fileName} is larger than its budget of ${GZIP_BYTES_MAX} bytes`);
    process.exit(1);
  }
}
