import type { MicProblem } from "../audio/line";

/** Everything that can go wrong, in words for somebody who only wants to talk. */
const MIC: Record<MicProblem, string> = {
  refused: "The microphone is blocked for this page. Allow it in the browser's address bar, or type instead.",
  missing: "No microphone was found. You can type instead and still hear the answers.",
  in_use: "Another program is using the microphone. Close it and call again, or type instead.",
  insecure: "Browsers share the microphone only over https or on localhost. You can type instead.",
  unknown: "The microphone could not be opened. You can type instead and still hear the answers.",
};

export function micWords(problem: MicProblem): string {
  return MIC[problem];
}

/** Why the socket closed, or null when that is how calls end. `begun` says whether the call had been connected. */
export function closeWords(code: number, reason: string, begun: boolean): string | null {
  switch (code) {
    case 1000:
      return null;
    case 1001:
      return "Frontdesk is restarting. Please call again in a moment.";
    case 1013:
      return "All lines are busy. Please try again in a minute.";
    case 1002:
    case 1003:
    case 1007:
    case 1008:
    case 1009:
      return reason === "" ? "Frontdesk did not accept this call." : `Frontdesk did not accept this call: ${reason}.`;
    case 1011:
      return "Something went wrong inside Frontdesk. Its log says what; please call again.";
    case 1005:
    case 1006:
      return begun
        ? "The connection was lost. Check the network and call again."
        : "Frontdesk cannot be reached. Is it still running?";
    default:
      return reason === "" ? `The call was closed (code ${code}).` : `The call was closed: ${reason}.`;
  }
}

const ENDED: Record<string, string> = {
  agent: "The agent said goodbye",
  desk: "A person at the desk ended the call",
  drained: "Frontdesk was shutting down",
  idle: "Nobody spoke for a while",
  media_lost: "The line was lost",
  no_answer: "Nobody picked up",
  no_media: "No audio ever came",
  overflow: "More came in than Frontdesk could handle",
  time_is_up: "The call reached its longest duration",
  transfer_failed: "The person to hand over to could not be reached",
  transferred: "The call was handed to a person",
};

/** The one-word reason of a call's end as a sentence. `caller` is what the caller is called there. */
export function endedWords(reason: string | null, caller: "You" | "The caller"): string {
  if (reason === null) return "Call ended";
  if (reason === "hung_up") return caller === "You" ? "You ended the call" : "The caller hung up";
  return ENDED[reason] ?? `Call ended: ${plainWords(reason)}`;
}

/** `no_answer` as `no answer`. */
export function plainWords(name: string): string {
  return name.replaceAll("_", " ");
}

const STAGE: Record<string, string> = {
  stt: "Speech recognition",
  brain: "The language model",
  tts: "The voice",
  tool: "A tool",
  carrier: "The line",
  engine: "The engine",
};

const CLASS: Record<string, string> = {
  auth: "was refused: its key is missing or wrong",
  quota: "is out of credit",
  rate_limited: "had too many requests",
  invalid: "did not accept the request",
  refused: "declined the content",
  unavailable: "could not be reached",
  timeout: "took too long",
  protocol: "broke off",
  cancelled: "was called off",
  internal: "failed",
};

/** A fault as a sentence; the call went on without it. */
export function faultWords(stage: string, errorClass: string): string {
  return `${STAGE[stage] ?? plainWords(stage)} ${CLASS[errorClass] ?? plainWords(errorClass)}`;
}

const TOOL_STATUS: Record<string, string> = {
  started: "running",
  finished: "done",
  failed: "failed",
  refused: "not allowed",
};

export function toolStatusWords(status: string): string {
  return TOOL_STATUS[status] ?? plainWords(status);
}

const PHASE: Record<string, string> = {
  listening: "Listening",
  thinking: "Thinking",
  speaking: "Speaking",
  waiting_tool: "Looking it up",
  paused: "The line is gone; waiting for it",
  with_human: "A person has the call",
  ending: "Saying goodbye",
};

export function phaseWords(phase: string): string {
  if (phase === "") return "Connected";
  const words = plainWords(phase);
  return PHASE[phase] ?? words.charAt(0).toUpperCase() + words.slice(1);
}
