/**
 * The order of platforms with `name` at a place. One that stands elsewhere changes places with the one that was there: it
 * stands in the order once. Without a name the order ends before the place, and any other may follow.
 */
export function placed(carriers: readonly string[], place: number, name: string): string[] {
  if (name === "") return carriers.slice(0, place);
  const before = carriers[place];
  if (before === undefined) return carriers.includes(name) ? [...carriers] : [...carriers, name];
  return carriers.map((one) => (one === name ? before : one)).with(place, name);
}
