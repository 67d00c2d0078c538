/** Loudness of one side of a recording, one value per step. */
export interface Envelope {
  step_ms: number;
  caller: Float32Array;
  agent: Float32Array;
  duration_ms: number;
}

const STEP_MS = 20;
/** Enough for loudness, and a long call stays small in memory. */
const DECODE_HZ = 8_000;
/** Quieter than this is a pause: -46 dB. */
const SPEECH_LEVEL = 0.005;
/** A pause this long separates two things said. */
const PAUSE_MS = 700;
/** A listener wants to hear the first sound. */
const LEAD_MS = 150;

/** Reads a stereo recording: caller left, agent right. */
export async function readEnvelope(recording: Blob): Promise<Envelope> {
  const context = new OfflineAudioContext(2, 1, DECODE_HZ);
  const audio = await context.decodeAudioData(await recording.arrayBuffer());
  const caller = audio.getChannelData(0);
  const agent = audio.numberOfChannels > 1 ? audio.getChannelData(1) : new Float32Array(caller.length);
  return {
    step_ms: STEP_MS,
    caller: rmsPerStep(caller),
    agent: rmsPerStep(agent),
    duration_ms: audio.duration * 1000,
  };
}

function rmsPerStep(samples: Float32Array): Float32Array {
  const size = (DECODE_HZ * STEP_MS) / 1000;
  const steps = new Float32Array(Math.ceil(samples.length / size));
  for (let step = 0; step < steps.length; step++) {
    const end = Math.min(samples.length, (step + 1) * size);
    let power = 0;
    for (let i = step * size; i < end; i++) power += (samples[i] as number) ** 2;
    steps[step] = Math.sqrt(power / size);
  }
  return steps;
}

/**
 * Where the words of a line begin. The journal notes a turn when it is over, so this walks back from there over the
 * speaker's own channel to the pause before it, never past `floor_ms`.
 */
export function speechStartMs(envelope: Envelope, side: "caller" | "agent", at_ms: number, floor_ms: number): number {
  const steps = envelope[side];
  const floor = Math.max(0, Math.floor(floor_ms / envelope.step_ms));
  let step = Math.min(steps.length - 1, Math.floor(at_ms / envelope.step_ms));
  while (step > floor && (steps[step] as number) < SPEECH_LEVEL) step--;
  if (step <= floor) return at_ms;
  let start = step;
  let quiet = 0;
  for (; step >= floor && quiet * envelope.step_ms < PAUSE_MS; step--) {
    if ((steps[step] as number) >= SPEECH_LEVEL) {
      start = step;
      quiet = 0;
    } else {
      quiet++;
    }
  }
  return Math.max(floor_ms, start * envelope.step_ms - LEAD_MS);
}
