const CHARS_MAX = 40;

/** `Brightleaf Cycles` as `brightleaf-cycles`; empty when no letter of it can stand in an address. */
export function slugOf(name: string): string {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const dashed = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+/, "");
  return dashed.slice(0, CHARS_MAX).replace(/-+$/, "");
}

/** The same, and one that nobody has yet. Letters of other scripts leave nothing: then it is `otherwise`. */
export function freeSlug(name: string, otherwise: string, taken: readonly string[]): string {
  const base = slugOf(name) || otherwise;
  let slug = base;
  for (let count = 2; taken.includes(slug); count++) slug = `${base}-${count}`;
  return slug;
}
