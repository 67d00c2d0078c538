import { describe, expect, it } from "vitest";
import { quantile, readMetrics, total, totalsBy } from "./metrics";

const TEXT = `# HELP frontdesk_calls_active Calls in this process
# TYPE frontdesk_calls_active gauge
frontdesk_calls_active 7

frontdesk_jobs{kind="webhook.deliver",state="waiting"} 4
frontdesk_jobs{kind="webhook.deliver",state="dead"} 1
frontdesk_jobs{kind="knowledge.work",state="waiting"} 9
frontdesk_odd{path="a \\"quoted\\" name"} 1
frontdesk_wait_seconds_bucket{le="0.1"} 10
frontdesk_wait_seconds_bucket{le="0.2"} 90
frontdesk_wait_seconds_bucket{le="0.5"} 100
frontdesk_wait_seconds_bucket{le="+Inf"} 100
half a line
`;

describe("what a node counts", () => {
  const samples = readMetrics(TEXT);

  it("is read with its labels, and what is not understood is passed over", () => {
    expect(samples).toHaveLength(9);
    expect(samples.find(({ name }) => name === "frontdesk_odd")?.labels).toEqual({ path: 'a "quoted" name' });
  });

  it("adds up by name and labels, and nothing is 0", () => {
    expect(total(samples, "frontdesk_calls_active")).toBe(7);
    expect(total(samples, "frontdesk_jobs", { state: "waiting" })).toBe(13);
    expect(total(samples, "frontdesk_jobs", { kind: /^webhook/ })).toBe(5);
    expect(total(samples, "frontdesk_never")).toBe(0);
  });

  it("is told apart by a label, the largest first", () => {
    expect(totalsBy(samples, "frontdesk_jobs", "kind", { state: "waiting" })).toEqual([
      ["knowledge.work", 9],
      ["webhook.deliver", 4],
    ]);
  });

  it("gives percentiles of its histograms, and none of an empty one", () => {
    expect(quantile(samples, "frontdesk_wait_seconds", 0.5)).toBeCloseTo(0.15, 5);
    expect(quantile(samples, "frontdesk_wait_seconds", 0.95)).toBeCloseTo(0.35, 5);
    expect(quantile(samples, "frontdesk_never", 0.5)).toBeNull();
  });
});
