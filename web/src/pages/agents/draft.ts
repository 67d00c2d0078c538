import type { components } from "../../api/schema.gen";
import type { Hours } from "../settings/hours";
import type { Flow } from "./flow/model";

type Schemas = components["schemas"];
export type AgentDetail = Omit<Schemas["AgentDetail"], "draft"> & { draft: AgentDraft };
export type Tool = Schemas["Tool"];

/** Of a telephone, in the order in which a menu gives them out. */
export const PHONE_KEYS: readonly string[] = [..."1234567890*#"];

export type Stage = "stt" | "llm" | "tts";
export const STAGES: Stage[] = ["stt", "llm", "tts"];

/** One provider that may serve a stage; written as its name alone when nothing else is set. */
export interface ProviderTable {
  name: string;
  model?: string;
  voice?: string;
  language?: string;
  weight?: number;
  flag?: string;
  options?: Record<string, string>;
}
export type ProviderChoice = string | ProviderTable;

export interface AgentProviders {
  stt?: ProviderChoice[];
  llm?: ProviderChoice[];
  tts?: ProviderChoice[];
  prefer?: "order" | "latency" | "quality" | "cost" | "balanced";
  regions?: string[];
  features?: string[];
  strict?: boolean;
  voices?: Record<string, string>[];
  budget_call_usd_micros?: number;
  cache?: { exact: boolean; alike: number | null };
}

/** All that can be set about an agent, as docs describe it: what the document of the API leaves open. */
export interface AgentDraft {
  slug: string;
  name: string;
  business_name: string;
  persona: string;
  language: string;
  brain: { kind: "auto" | "local" } | { kind: "llm"; provider: string | null; model: string | null };
  voice: string | null;
  providers: AgentProviders;
  lines: { [Name in LineName]: string } & { back_channels: string[] };
  timing: { [Name in TimingName]: number };
  turns: {
    patience: "quick" | "normal" | "patient";
    speculate: boolean;
    learn_pauses: boolean;
    back_channels: boolean;
    resume_after_false_stop: boolean;
  };
  sound: {
    echo_guard: boolean;
    suppress_noise: boolean;
    auto_gain: boolean;
    comfort_noise: boolean;
    ambience: "office" | "call_centre" | "room" | null;
  };
  outbound: { screen: boolean; voicemail: string; introduction: string; menu_choice: string };
  tools: Tool[];
  flow?: Flow | null;
  handoff_to: string | null;
  handoff: {
    mode: HandoffMode;
    accept_key: string;
    ring_ms_max: number;
    call_back_key: string;
    wait_ms_max: number;
  };
  record: boolean;
  /** Null: around the clock. */
  hours?: AgentHours | null;
  guardrails?: Guardrails;
}

export const HANDOFF_MODES = ["cold", "warm", "queue"] as const;
export type HandoffMode = (typeof HANDOFF_MODES)[number];

/** What an agent does with a call that comes in outside its hours. */
export type Outside =
  | { kind: "take_anyway" }
  | { kind: "message"; text: string }
  | { kind: "transfer"; text: string; to: string };

export interface AgentHours extends Hours {
  /** Null: the zone of the business. */
  time_zone: string | null;
  outside: Outside;
}

export interface Guardrails {
  refuse_topics: string[];
  never_say: string[];
  instead: string;
  offer_person: { situations: string[]; after_refusals: number; after_failed_turns: number };
}

/** In the order in which a call may reach them. */
export const LINES = [
  "greeting",
  "notice",
  "filler",
  "still_working",
  "are_you_there",
  "not_heard",
  "apology",
  "lost_thread",
  "go_on",
  "confirm",
  "not_done",
  "handoff",
  "handoff_waiting",
  "handoff_failed",
  "queue",
  "queue_position",
  "queue_waiting",
  "on_hold",
  "on_hold_waiting",
  "brief",
  "brief_ask",
  "brief_declined",
  "brief_gone",
  "call_back",
  "handed_back",
  "give_up",
  "resumed",
  "time_is_up",
  "goodbye",
] as const;
export type LineName = (typeof LINES)[number];

export const TIMINGS = [
  "endpoint_ms",
  "endpoint_ms_max",
  "endpoint_digits_ms",
  "barge_in_ms",
  "barge_in_decide_ms",
  "filler_after_ms",
  "turn_ms_max",
  "idle_ms",
  "idle_prompts_max",
  "monologue_ms_max",
  "call_ms_max",
  "ring_ms_max",
  "tool_ms_max",
  "hang_up_ms_max",
] as const;
export type TimingName = (typeof TIMINGS)[number];

export function choiceTable(choice: ProviderChoice): ProviderTable {
  return typeof choice === "string" ? { name: choice } : choice;
}

/** Its name alone when nothing else is said, as the server writes it. */
export function choiceText(table: ProviderTable): ProviderChoice {
  const said = Object.entries(table).filter(([, value]) => value !== undefined && value !== "");
  return said.length === 1 ? table.name : (Object.fromEntries(said) as unknown as ProviderTable);
}

/** The draft with other choices for a stage; a stage without any is left to the installation and not mentioned. */
export function withChoices(providers: AgentProviders, stage: Stage, choices: ProviderChoice[]): AgentProviders {
  const { [stage]: _, ...rest } = providers;
  return choices.length === 0 ? rest : { ...rest, [stage]: choices };
}
