import type { Side } from "./monitor-mix";

// Those of a caller's line are the SDK's.
export * from "../../../sdks/js/src/audio/messages";

/** To and from the worklet in which supervisors hear a call. */
export type MonitorCommand =
  | { type: "audio"; side: Side; pcm: Int16Array<ArrayBuffer> }
  | { type: "clear"; side: Side }
  | { type: "stop" };

/** Samples at 16 kHz. */
export interface MonitorReport {
  played: Record<Side, number>;
  queued: Record<Side, number>;
  skipped: number;
}
