/** Changes of JSON documents: what a merge patch (RFC 7396) says, and what a person reads about it. */

type Json = unknown;
type JsonObject = Record<string, Json>;

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function same(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => same(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]))
  );
}

/** The merge patch that turns one document into another; empty when nothing differs. */
export function mergePatch(from: JsonObject, to: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const name of Object.keys(from)) {
    if (!Object.hasOwn(to, name)) patch[name] = null;
  }
  for (const [name, value] of Object.entries(to)) {
    const before = from[name];
    if (same(before, value)) continue;
    patch[name] = isObject(before) && isObject(value) ? mergePatch(before, value) : value;
  }
  return patch;
}

/** A document with a merge patch applied; neither of the two is touched. */
export function applyPatch<Document extends object>(document: Document, patch: JsonObject): Document {
  const result: JsonObject = { ...(document as JsonObject) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (isObject(value))
      result[name] = applyPatch(isObject(result[name]) ? (result[name] as JsonObject) : {}, value);
    else result[name] = value;
  }
  return result as Document;
}

export interface Difference {
  /** `lines.greeting`. */
  path: string;
  before: Json;
  after: Json;
}

/** Every leaf that differs, in the order of the first document. Lists whose items have names or ids are compared by them. */
export function differences(from: Json, to: Json, path = ""): Difference[] {
  if (same(from, to)) return [];
  const [before, after] = [byName(from), byName(to)];
  if (before !== null && after !== null) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) => differences(before[name], after[name], path === "" ? name : `${path}.${name}`));
  }
  return [{ path, before: from, after: to }];
}

function byName(value: Json): JsonObject | null {
  if (isObject(value)) return value;
  if (!Array.isArray(value) || value.length === 0) return null;
  const nameOf = (item: Json) => (isObject(item) ? (item.name ?? item.id) : null);
  const names = value.map((item) => {
    const name = nameOf(item);
    return typeof name === "string" ? name : null;
  });
  if (names.includes(null) || new Set(names).size !== names.length) return null;
  return Object.fromEntries(value.map((item, index) => [names[index], item]));
}

/** A value as a person may compare it. */
export function shown(value: Json): string {
  if (value === undefined || value === null || value === "") return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 1).replaceAll("\n", " ");
}
