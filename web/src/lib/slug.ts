const CHARS_MAX = 40;

/** `Brightleaf Cycles` as `brightleaf-cycles`; empty when no letter of it can stand in an address. */
export function slugOf(name: string): string {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const dashed = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+/, "");
  return dashed.slice(0, CHARS_MAX).replace(/-+$/, "");
}
