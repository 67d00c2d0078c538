/** Messages between the page and its two audio worklets. */

/** One 20 ms frame at 16 kHz, as the media socket carries it. */
export const FRAME_SAMPLES = 320;

export interface CapturedFrame {
  pcm: ArrayBuffer;
  /** Root mean square of the frame, 0 to 1. */
  level: number;
}

export type CaptureCommand = { type: "mute"; muted: boolean } | { type: "stop" };

export type PlaybackCommand =
  | { type: "audio"; pcm: ArrayBuffer }
  | { type: "mark"; id: number }
  | { type: "clear" }
  /** How long a sample takes from the worklet to the ear. */
  | { type: "latency"; secs: number }
  | { type: "stop" };

export type PlaybackReport = { type: "mark"; id: number } | ({ type: "progress"; level: number } & PlaybackCounters);

export interface PlaybackCounters {
  played_samples: number;
  queued_samples: number;
  underruns: number;
  dropped_samples: number;
}
