import { gzipSync } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const MAIN_GZIP_BYTES_MAX = 120_000;

/** Prints what a visitor downloads, and fails the build when the page grows past its budget. */
function sizeBudget(): Plugin {
  return {
    name: "size-budget",
    apply: "build",
    generateBundle(_options, bundle) {
      let total = 0;
      for (const file of Object.values(bundle)) {
        const source = file.type === "chunk" ? file.code : file.source;
        total += gzipSync(source).length;
      }
      this.info(`whole page: ${(total / 1000).toFixed(1)} kB gzip`);
      if (total > MAIN_GZIP_BYTES_MAX) {
        this.error(`the page is ${total} bytes gzip, more than its budget of ${MAIN_GZIP_BYTES_MAX}`);
      }
    },
  };
}

const backend = process.env.FRONTDESK_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), tailwindcss(), sizeBudget()],
  build: { target: "es2023", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  worker: { format: "es" },
  server: {
    proxy: {
      "/api": backend,
      "/carriers": { target: backend, ws: true },
    },
  },
  preview: { port: 4173 },
});
