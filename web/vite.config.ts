import { gzipSync } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Script that is loaded before anything is drawn; pages load their own when they are opened. */
const FIRST_LOAD_GZIP_BYTES_MAX = 250_000;
/** The code of one page. */
const CHUNK_GZIP_BYTES_MAX = 120_000;

/** Prints what a visitor downloads, and fails the build when it grows past its budget. */
function sizeBudget(): Plugin {
  return {
    name: "size-budget",
    apply: "build",
    generateBundle(_options, bundle) {
      const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
      const size = new Map(chunks.map((chunk) => [chunk.fileName, gzipSync(chunk.code).length]));
      const first = new Set<string>();
      const add = (name: string) => {
        if (first.has(name)) return;
        first.add(name);
        const chunk = bundle[name];
        if (chunk?.type === "chunk") chunk.imports.forEach(add);
      };
      for (const chunk of chunks) if (chunk.isEntry) add(chunk.fileName);
      const total = [...first].reduce((sum, name) => sum + (size.get(name) ?? 0), 0);
      this.info(`first load: ${(total / 1000).toFixed(1)} kB of script, gzip`);
      if (total > FIRST_LOAD_GZIP_BYTES_MAX) {
        this.error(`the first load is ${total} bytes of script, more than its budget of ${FIRST_LOAD_GZIP_BYTES_MAX}`);
      }
      for (const [name, bytes] of size) {
        if (bytes > CHUNK_GZIP_BYTES_MAX && !first.has(name)) this.error(`${name} is ${bytes} bytes, gzip`);
      }
    },
  };
}

const backend = process.env.FRONTDESK_URL ?? "http://127.0.0.1:8080";

/** As seen from the server the pages are its own: it refuses changes from pages of other origins. */
const proxy = {
  "/api": { target: backend, changeOrigin: false, ws: true },
  "/metrics": { target: backend, changeOrigin: false },
  "/readyz": { target: backend, changeOrigin: false },
  "/carriers": { target: backend, changeOrigin: false, ws: true },
};

export default defineConfig({
  plugins: [react(), tailwindcss(), sizeBudget()],
  build: { target: "es2023", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  worker: { format: "es" },
  server: { proxy },
  preview: { port: 4173, proxy },
});
