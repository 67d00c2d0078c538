import type { MicProblem } from "../audio/line";
import { t, wordsOf } from "../i18n";

/** Everything that can go wrong, in words for somebody who only wants to talk. */
export function micWords(problem: MicProblem): string {
  return t(`mic.${problem}`);
}

/** Why the socket closed, or null when that is how calls end. `begun` says whether the call had been connected. */
export function closeWords(code: number, reason: string, begun: boolean): string | null {
  switch (code) {
    case 1000:
      return null;
    case 1001:
      return t("closed.restarting");
    case 1013:
      return t("closed.busy");
    case 1002:
    case 1003:
    case 1007:
    case 1008:
    case 1009:
      return reason === "" ? t("closed.not_accepted") : t("closed.not_accepted_why", { reason });
    case 1011:
      return t("closed.internal");
    case 1005:
    case 1006:
      return begun ? t("closed.lost") : t("closed.unreachable");
    default:
      return reason === "" ? t("closed.code", { code }) : t("closed.why", { reason });
  }
}

/** The one-word reason of a call's end as a sentence, to whoever made the call or about them. */
export function endedWords(reason: string | null | undefined, reader: "you" | "others"): string {
  if (reason === null || reason === undefined || reason === "") return t("ended.call_ended");
  if (reason === "hung_up" && reader === "you") return t("ended.you_ended");
  return wordsOf("ended", reason) ?? t("ended.other", { reason: plainWords(reason) });
}

/** `no_answer` as `no answer`. */
export function plainWords(name: string): string {
  return name.replaceAll("_", " ");
}

/** A fault as a sentence; the call went on without it. */
export function faultWords(stage: string, errorClass: string): string {
  return `${wordsOf("stages", stage) ?? plainWords(stage)} ${wordsOf("classes", errorClass) ?? plainWords(errorClass)}`;
}

export function toolStatusWords(status: string): string {
  return wordsOf("tool_status", status) ?? plainWords(status);
}

export function phaseWords(phase: string): string {
  if (phase === "") return t("phases.connected");
  const words = plainWords(phase);
  return wordsOf("phases", phase) ?? words.charAt(0).toUpperCase() + words.slice(1);
}
