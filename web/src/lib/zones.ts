/** All time zones that the browser knows, and the one that is set where it knows it not. */
export function zoneOptions(set: string | null | undefined): { value: string; label: string }[] {
  const known = Intl.supportedValuesOf("timeZone");
  const all = set == null || known.includes(set) ? known : [set, ...known];
  return all.map((value) => ({ value, label: value.replaceAll("_", " ") }));
}
