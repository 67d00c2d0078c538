import type { LiveEvent } from "./protocol.js";

/** Who said a message: the visitor, the agent, or a person of the business who has taken over. */
export type Role = "visitor" | "agent" | "person";

/** One message of the conversation. */
export interface Message {
  /** Stays the same while the message grows. */
  readonly id: string;
  readonly role: Role;
  readonly text: string;
  /**
   * `pending`: typed, and not yet with the agent. `open`: more of it may come. `done`: whole. `cut`: the visitor
   * interrupted; the text is what was heard.
   */
  readonly state: "pending" | "open" | "done" | "cut";
}

/** A message as the server lists it. */
export interface ListedMessage {
  seq: number;
  role: "customer" | "agent" | "person";
  text: string;
  complete: boolean;
}

/** The oldest leave first; the server keeps them all. */
const MESSAGES_MAX = 500;

/** What was said, as a pure function of what happened. Live events may come late, twice or not at all. */
export class Transcript {
  #messages: readonly Message[] = [];
  #next = 1;

  /** `greeting` stands there before anything was said, so that nobody waits for a connection to read it. */
  constructor(greeting: string) {
    if (greeting !== "") this.#messages = [{ id: "greeting", role: "agent", text: greeting, state: "done" }];
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** Replaces everything by what the server has; messages that were typed and have not arrived stay. */
  restore(listed: readonly ListedMessage[]): void {
    if (listed.length === 0) return;
    const known = listed.map(
      ({ seq, role, text, complete }): Message => ({
        id: `seq-${seq}`,
        role: role === "customer" ? "visitor" : role,
        text,
        state: complete ? "done" : "cut",
      }),
    );
    const times = (messages: readonly Message[], text: string) =>
      messages.filter((message) => message.role === "visitor" && message.state !== "pending" && message.text === text)
        .length;
    const arrived = new Map<string, number>();
    const waiting = this.#messages.filter((message) => {
      if (message.state !== "pending") return false;
      const left = arrived.get(message.text) ?? times(known, message.text) - times(this.#messages, message.text);
      arrived.set(message.text, left - 1);
      return left <= 0;
    });
    this.#messages = [...known, ...waiting];
  }

  /** The visitor typed something. */
  typed(text: string): void {
    this.#append({ role: "visitor", text, state: "pending" });
  }

  /** Applies an event. Says whether anything changed. */
  apply(event: LiveEvent): boolean {
    switch (event.event) {
      case "caller_turn":
        return this.#visitorSaid(event.turn, event.text);
      case "agent_saying":
        return this.#agentSays(event.turn, event.text);
      case "agent_turn":
        return this.#agentSaid(event.turn, event.text, event.complete);
      case "person_turn":
        return this.#append({ role: "person", text: event.text, state: "done" });
      case "ended":
        return this.settle();
      default:
        return false;
    }
  }

  /** Nothing more comes: what is open is as whole as it will be. */
  settle(): boolean {
    const before = this.#messages;
    const still = before.filter(({ state, text }) => state !== "open" || text !== "");
    this.#messages = still.map((message) => (message.state === "open" ? { ...message, state: "cut" } : message));
    return (
      this.#messages.some((message, index) => message !== before[index]) || before.length !== this.#messages.length
    );
  }

  #visitorSaid(turn: number, text: string): boolean {
    if (this.#messages.some(({ id }) => id.startsWith(`visitor-${turn}.`))) return false;
    const pending = this.#messages.findIndex((message) => message.state === "pending" && message.text === text);
    if (pending < 0) return this.#append({ role: "visitor", text, state: "done" }, `visitor-${turn}.`);
    this.#replace(pending, { ...this.#at(pending), state: "done", id: `visitor-${turn}.${this.#next++}` });
    return true;
  }

  #agentSays(turn: number, text: string): boolean {
    if (this.#isGreeting(text)) return false;
    const open = this.#openOf(turn);
    if (open < 0) return this.#append({ role: "agent", text, state: "open" }, `agent-${turn}.`);
    const { text: before } = this.#at(open);
    this.#replace(open, { ...this.#at(open), text: before === "" ? text : `${before} ${text}` });
    return true;
  }

  #agentSaid(turn: number, text: string, complete: boolean): boolean {
    if (this.#isGreeting(text)) return false;
    const open = this.#openOf(turn);
    const state = complete ? "done" : "cut";
    if (open >= 0) {
      if (text === "") this.#messages = this.#messages.filter((_, index) => index !== open);
      else this.#replace(open, { ...this.#at(open), text, state });
      return true;
    }
    const repeated = this.#messages.some(({ id, text: known }) => id.startsWith(`agent-${turn}.`) && known === text);
    return !repeated && text !== "" && this.#append({ role: "agent", text, state }, `agent-${turn}.`);
  }

  /** Whether these are words that stand there since before the conversation began. */
  #isGreeting(text: string): boolean {
    return text !== "" && this.#messages.some((message) => message.id === "greeting" && message.text.includes(text));
  }

  #openOf(turn: number): number {
    return this.#messages.findIndex(({ id, state }) => state === "open" && id.startsWith(`agent-${turn}.`));
  }

  #at(index: number): Message {
    return this.#messages[index] as Message;
  }

  #replace(index: number, message: Message): void {
    this.#messages = this.#messages.map((known, at) => (at === index ? message : known));
  }

  #append(message: Omit<Message, "id">, prefix = `${message.role}-`): boolean {
    const added: Message = { ...message, id: `${prefix}${this.#next++}` };
    // What was typed and is not with the agent yet stays last.
    const pending = this.#messages.findIndex(({ state }) => state === "pending");
    const at = message.state === "pending" || pending < 0 ? this.#messages.length : pending;
    this.#messages = [...this.#messages.slice(0, at), added, ...this.#messages.slice(at)].slice(-MESSAGES_MAX);
    return true;
  }
}
