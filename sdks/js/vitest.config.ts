import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Packages come from here, or, inside the repository, from the dashboard's folder beside. */
function found(name: string): string {
  const own = fileURLToPath(new URL(`node_modules/${name}`, import.meta.url));
  return existsSync(own) ? own : fileURLToPath(new URL(`../../web/node_modules/${name}`, import.meta.url));
}

export default {
  resolve: { alias: ["openapi-fetch", "ws"].map((find) => ({ find, replacement: found(find) })) },
};
