import { type Frontdesk, FrontdeskError, type Message } from "../src/index.js";
import { readable, textOn } from "./colour.js";
import { el, icon } from "./dom.js";
import { STYLES } from "./styles.js";
import type { Words } from "./words.js";

const TEXT_CHARS_MAX = 4_000;
const BARS = 5;
const GROUNDS = { light: "#ffffff", dark: "#16181d" } as const;

/** What the widget remembers from page to page of a website, within one tab. */
export interface Memory {
  get(name: string): boolean;
  set(name: string, value: boolean): void;
}

/** The widget on a page. */
export class Widget {
  readonly #desk: Frontdesk;
  readonly #words: Words;
  readonly #memory: Memory;
  readonly #host: HTMLElement;
  readonly #motion = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #items = new Map<string, { item: HTMLLIElement; text: HTMLElement; message: Message }>();

  readonly #root = el("div", { class: "root" });
  readonly #launch: HTMLButtonElement;
  readonly #panel: HTMLElement;
  readonly #log: HTMLElement;
  readonly #list = el("ol");
  readonly #person: HTMLElement;
  readonly #status = el("div", { class: "status", role: "status" });
  readonly #bars = el("div", { class: "bars", "aria-hidden": "true" }, ...Array.from({ length: BARS }, () => el("i")));
  readonly #voice: HTMLElement;
  readonly #mute: HTMLButtonElement;
  readonly #form: HTMLFormElement;
  readonly #field: HTMLTextAreaElement;
  readonly #talk: HTMLButtonElement | null;
  readonly #consent: HTMLElement;
  readonly #end: HTMLButtonElement;
  #problem = "";
  #partial = "";

  constructor(desk: Frontdesk, words: Words, language: string, memory: Memory) {
    this.#desk = desk;
    this.#words = words;
    this.#memory = memory;
    this.#host = el("div", { "data-frontdesk": true, lang: language, dir: "ltr" });
    const { settings } = desk;

    this.#launch = this.#button("chat", "open", "launch", () => this.open());
    this.#launch.setAttribute("aria-haspopup", "dialog");
    const logo = settings.theme.logo_url === "" ? [] : [el("img", { src: settings.theme.logo_url, alt: "" })];
    const head = el(
      "header",
      { class: "head" },
      ...logo,
      el("h2", { id: "title" }, settings.title),
      this.#button("close", "close", "icon", () => this.close()),
    );
    this.#person = el("p", { class: "note", hidden: true }, words.person_here);
    this.#log = el("div", { class: "log", role: "log", tabindex: "0", "aria-label": words.log }, this.#list);
    this.#mute = this.#button("mic", "mute", "pill", () => this.#toggleMute());
    this.#voice = el(
      "div",
      { class: "voice", hidden: true },
      this.#mute,
      this.#button("hand", "interrupt", "pill", () => desk.interrupt()),
      this.#button("stop", "stop", "pill", () => this.#try(desk.stopTalking())),
    );
    this.#field = el("textarea", {
      id: "field",
      rows: "1",
      maxlength: String(TEXT_CHARS_MAX),
      placeholder: words.write,
    });
    this.#talk = settings.voice ? this.#button("mic", "talk", "icon", () => this.#try(desk.talk())) : null;
    this.#form = this.#makeForm();
    this.#consent = this.#makeConsent();
    this.#end = el("button", { type: "button", hidden: true }, words.end);
    this.#end.onclick = () => desk.end();
    this.#panel = el(
      "section",
      { class: "panel", role: "dialog", "aria-label": words.panel.replace("{title}", settings.title), hidden: true },
      head,
      this.#person,
      this.#log,
      this.#status,
      this.#bars,
      this.#voice,
      this.#form,
      this.#consent,
      el("div", { class: "foot" }, ...this.#privacy(), this.#end),
    );
    this.#root.append(this.#launch, this.#panel);
    this.#mount();
    this.#listen();
    this.#draw();
    if (memory.get("open")) this.open({ takesFocus: false });
  }

  /** Opens the panel. */
  open({ takesFocus = true } = {}): void {
    this.#panel.hidden = false;
    this.#launch.hidden = true;
    this.#root.setAttribute("data-open", "");
    this.#memory.set("open", true);
    this.#scroll();
    if (takesFocus) this.#focusWithin();
  }

  /** Closes the panel. A spoken conversation goes on in writing. */
  close(): void {
    if (this.#desk.isTalking) this.#try(this.#desk.stopTalking());
    this.#panel.hidden = true;
    this.#launch.hidden = false;
    this.#root.removeAttribute("data-open");
    this.#memory.set("open", false);
    this.#launch.focus();
  }

  /** Takes the widget off the page, without ending the conversation. */
  remove(): void {
    this.#desk.leave();
    this.#host.remove();
  }

  #button(name: Parameters<typeof icon>[0], label: keyof Words, kind: string, act: () => void): HTMLButtonElement {
    const words = this.#words[label];
    const button = el("button", { type: "button", class: kind, "aria-label": words, title: words }, icon(name));
    button.onclick = act;
    return button;
  }

  #makeForm(): HTMLFormElement {
    const send = el(
      "button",
      { type: "submit", class: "icon", "aria-label": this.#words.send, title: this.#words.send },
      icon("send"),
    );
    const written = this.#desk.settings.chat
      ? [el("label", { class: "hidden", for: "field" }, this.#words.write), this.#field]
      : [];
    const form = el(
      "form",
      { class: "form" },
      ...written,
      ...(this.#talk === null ? [] : [this.#talk]),
      ...(written.length > 0 ? [send] : []),
    );
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    this.#field.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    };
    this.#field.oninput = () => this.#grow();
    return form;
  }

  #makeConsent(): HTMLElement {
    const agree = el("button", { type: "button", class: "pill main" }, this.#words.agree);
    agree.onclick = () => {
      this.#memory.set("agreed", true);
      this.#draw();
      this.#focusWithin();
    };
    return el("div", { class: "consent" }, el("p", {}, this.#desk.settings.consent), agree);
  }

  #privacy(): HTMLElement[] {
    const { privacy_url: href } = this.#desk.settings;
    return href === "" ? [] : [el("a", { href, target: "_blank", rel: "noopener noreferrer" }, this.#words.privacy)];
  }

  #mount(): void {
    const { theme } = this.#desk.settings;
    const shadow = this.#host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(this.#root);
    this.#host.setAttribute("data-position", theme.position);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const paint = (): void => {
      const scheme = theme.scheme === "auto" ? (dark.matches ? "dark" : "light") : theme.scheme;
      this.#host.setAttribute("data-scheme", scheme);
      const colours = {
        "--brand": theme.colour,
        "--on-brand": textOn(theme.colour),
        "--brand-text": readable(theme.colour, GROUNDS[scheme]),
        "--focus": readable(theme.colour, GROUNDS[scheme]),
      };
      for (const [name, value] of Object.entries(colours)) this.#root.style.setProperty(name, value);
    };
    paint();
    dark.addEventListener("change", paint);
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
    document.body.append(this.#host);
  }

  #listen(): void {
    const desk = this.#desk;
    for (const name of ["state", "phase", "talking"] as const) desk.on(name, () => this.#draw());
    desk.on("handover", (isPerson) => {
      this.#person.hidden = !isPerson;
      this.#say(isPerson ? this.#words.person_here : this.#words.person_left);
    });
    desk.on("messages", () => this.#drawMessages());
    desk.on("partial", (partial) => {
      this.#partial = partial;
      this.#draw();
    });
    desk.on("levels", ({ visitor, agent }) => this.#drawLevels(Math.max(visitor, agent)));
    desk.on("error", (error) => this.#fail(error));
    // The next page of the website goes on with the conversation.
    window.addEventListener("pagehide", () => desk.leave());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) void desk.resume();
    });
  }

  #send(): void {
    const text = this.#field.value.trim();
    if (text === "") return;
    this.#field.value = "";
    this.#grow();
    this.#problem = "";
    this.#try(this.#desk.send(text));
  }

  #try(work: Promise<void>): void {
    this.#problem = "";
    work.catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    const code = error instanceof FrontdeskError ? error.code : "internal";
    const words: Partial<Record<string, string>> = this.#words;
    this.#problem = (code === "unavailable" ? this.#words.off_duty : words[code]) ?? this.#words.failed;
    this.#draw();
  }

  #toggleMute(): void {
    this.#desk.setMuted(!this.#desk.isMuted);
    this.#draw();
  }

  /** What a screen reader says and the status line shows. */
  #say(text: string): void {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  #draw(): void {
    const { settings, isTalking, isMuted, state } = this.#desk;
    const isAgreed = settings.consent === "" || this.#memory.get("agreed");
    const isOffered = settings.available || this.#desk.isBegun;
    this.#consent.hidden = isAgreed || !isOffered;
    this.#form.hidden = !isAgreed || !isOffered || (isTalking && !settings.chat);
    this.#voice.hidden = !isTalking;
    this.#bars.hidden = !isTalking;
    if (this.#talk !== null) this.#talk.hidden = isTalking;
    this.#end.hidden = state !== "open" && state !== "reconnecting";
    this.#mute.setAttribute("aria-pressed", String(isMuted));
    this.#mute.replaceChildren(icon(isMuted ? "muted" : "mic"));
    this.#person.hidden = !this.#desk.isHandedOver;
    this.#status.classList.toggle("problem", this.#problem !== "");
    this.#status.classList.toggle("partial", this.#problem === "" && this.#partial !== "");
    this.#say(this.#statusWords());
    this.#drawMessages();
  }

  #statusWords(): string {
    const { state, phase, isTalking, settings, isBegun } = this.#desk;
    if (this.#problem !== "") return this.#problem;
    if (!settings.available && !isBegun) return this.#words.off_duty;
    if (state === "reconnecting") return this.#words.reconnecting;
    if (state === "connecting") return this.#words.connecting;
    if (state === "ended") return this.#words.ended;
    if (this.#partial !== "") return this.#partial;
    if (state !== "open") return "";
    const isWorking = phase === "thinking" || phase === "waiting_tool";
    if (isWorking) return isTalking ? this.#words.thinking : this.#words.writing;
    if (!isTalking) return "";
    return phase === "speaking" ? this.#words.speaking : this.#words.listening;
  }

  #drawMessages(): void {
    const { messages } = this.#desk;
    const known = new Set(messages.map(({ id }) => id));
    for (const [id, { item }] of this.#items) {
      if (known.has(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    messages.forEach((message, index) => {
      const drawn = this.#items.get(message.id) ?? this.#newMessage(message);
      if (drawn.message.text !== message.text || drawn.text.textContent === "") drawn.text.textContent = message.text;
      drawn.item.dataset.state = message.state;
      drawn.message = message;
      if (this.#list.children[index] !== drawn.item)
        this.#list.insertBefore(drawn.item, this.#list.children[index] ?? null);
    });
    this.#scroll();
  }

  #newMessage(message: Message) {
    const text = el("span");
    const isPerson = message.role === "person";
    const who = el(
      "span",
      { class: isPerson ? "who" : "hidden" },
      `${this.#words[message.role]}${isPerson ? "" : ": "}`,
    );
    const item = el("li", { class: "message", "data-role": message.role }, who, text);
    const drawn = { item, text, message };
    this.#items.set(message.id, drawn);
    return drawn;
  }

  #drawLevels(level: number): void {
    if (this.#motion.matches) return;
    Array.from(this.#bars.children).forEach((bar, index) => {
      const share = 1 - Math.abs(index - (BARS - 1) / 2) / BARS;
      (bar as HTMLElement).style.transform = `scaleY(${Math.min(1, 0.1 + level * 4 * share).toFixed(2)})`;
    });
  }

  #grow(): void {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #scroll(): void {
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #focusWithin(): void {
    const wanted = [this.#field, this.#consent.querySelector("button"), this.#talk];
    const first = wanted.find((one) => one?.isConnected === true && one.getClientRects().length > 0);
    (first ?? this.#panel.querySelector<HTMLElement>("button"))?.focus();
  }
}
