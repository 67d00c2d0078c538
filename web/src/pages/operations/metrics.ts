/** One line of Prometheus's text format. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** What a node counts. Lines that are not understood are passed over. */
export function readMetrics(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    if (match === null) return [];
    const [, name = "", labels = "", value = ""] = match;
    const number = value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value);
    if (Number.isNaN(number)) return [];
    return [{ name, labels: Object.fromEntries(pairs(labels)), value: number }];
  });
}

function pairs(labels: string): [string, string][] {
  return [...labels.matchAll(LABEL)].map(([, name = "", value = ""]) => [name, value.replace(/\\(.)/g, "$1")]);
}

type Wanted = Record<string, string | RegExp>;

function fits(sample: Sample, wanted: Wanted): boolean {
  return Object.entries(wanted).every(([name, value]) => {
    const given = sample.labels[name] ?? "";
    return typeof value === "string" ? given === value : value.test(given);
  });
}

/** All values of this name with these labels together; 0 when it was never counted. */
export function total(samples: readonly Sample[], name: string, wanted: Wanted = {}): number {
  return samples.reduce((sum, one) => (one.name === name && fits(one, wanted) ? sum + one.value : sum), 0);
}

/** A total for each value of a label, the largest first. */
export function totalsBy(
  samples: readonly Sample[],
  name: string,
  label: string,
  wanted: Wanted = {},
): [string, number][] {
  const sums = new Map<string, number>();
  for (const one of samples) {
    if (one.name !== name || !fits(one, wanted)) continue;
    const key = one.labels[label] ?? "";
    sums.set(key, (sums.get(key) ?? 0) + one.value);
  }
  return [...sums].sort(([, a], [, b]) => b - a);
}

/** What this share of a histogram's observations does not exceed, in its unit; within a bucket by even spread. */
export function quantile(samples: readonly Sample[], name: string, share: number, wanted: Wanted = {}): number | null {
  const buckets = totalsBy(samples, `${name}_bucket`, "le", wanted)
    .map(([le, count]) => ({ le: le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le), count }))
    .sort((a, b) => a.le - b.le);
  const all = buckets.at(-1)?.count ?? 0;
  if (all === 0) return null;
  const rank = share * all;
  let below = { le: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      if (!Number.isFinite(bucket.le)) return below.le;
      const within = bucket.count - below.count;
      return below.le + ((rank - below.count) / Math.max(1, within)) * (bucket.le - below.le);
    }
    below = bucket;
  }
  return below.le;
}
