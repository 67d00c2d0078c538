import { IntlMessageFormat } from "intl-messageformat";
import { useSyncExternalStore } from "react";
import { en, type Messages } from "./en";

/** The languages that the pages speak; `en` is complete by construction, the others by a test. */
export const LANGUAGES = { en: "English", hi: "हिन्दी" } as const;
export type Language = keyof typeof LANGUAGES;
export type { Messages };

type Part = keyof Messages;
/** `calls.title`: the feature, and the message within it. */
export type MessageKey = { [P in Part]: `${P}.${keyof Messages[P] & string}` }[Part];
export type Values = Record<string, string | number>;

const KEY = "frontdesk.language";
const OTHERS: Record<Exclude<Language, "en">, () => Promise<Messages>> = {
  hi: async () => (await import("./hi")).hi,
};

let language: Language = "en";
let messages: Messages = en;
const formats = new Map<string, IntlMessageFormat>();
const subscribers = new Set<() => void>();

/** A message in the reader's language. Plurals and choices in ICU form: `{count, plural, one {# call} other {# calls}}`. */
export function t(key: MessageKey, values?: Values): string {
  const text = textOf(key) ?? key;
  return values === undefined ? text : format(key, text, values);
}

/** The words for a value that the server sent, if the catalogue knows it: `wordsOf("ended", call.ended_reason)`. */
export function wordsOf(part: Part, name: string, values?: Values): string | null {
  const key = `${part}.${name}`;
  const text = textOf(key);
  if (text === undefined) return null;
  return values === undefined ? text : format(key, text, values);
}

function textOf(key: string): string | undefined {
  const dot = key.indexOf(".");
  const part = messages[key.slice(0, dot) as Part] as Record<string, string> | undefined;
  const name = key.slice(dot + 1);
  return part !== undefined && Object.hasOwn(part, name) ? part[name] : undefined;
}

function format(key: string, text: string, values: Values): string {
  let known = formats.get(key);
  if (known === undefined) {
    known = new IntlMessageFormat(text, locale(), undefined, { ignoreTag: true });
    formats.set(key, known);
  }
  return String(known.format(values));
}

/** For `Intl`: the browser's own variant of the chosen language, such as `en-GB`. */
export function locale(): string {
  const own = globalThis.navigator?.languages?.find((one) => one.split("-")[0] === language);
  return own ?? (language === "hi" ? "hi-IN" : "en");
}

export function currentLanguage(): Language {
  return language;
}

/** The language that was chosen, or the first of the browser's that we speak. */
export function preferredLanguage(): Language {
  let chosen: string | null = null;
  try {
    chosen = localStorage.getItem(KEY);
  } catch {
    // Storage is off: the browser's languages say enough.
  }
  const wished = [chosen, ...navigator.languages].map((one) => one?.split("-")[0]);
  return (wished.find((one) => one !== undefined && Object.hasOwn(LANGUAGES, one)) as Language | undefined) ?? "en";
}

/** Loads a language and shows everything in it. */
export async function setLanguage(next: Language, remember: boolean): Promise<void> {
  messages = next === "en" ? en : await OTHERS[next]();
  language = next;
  formats.clear();
  document.documentElement.lang = next;
  if (remember) {
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Storage is off: the choice lasts as long as the page.
    }
  }
  for (const subscriber of subscribers) subscriber();
}

/** Re-renders whoever uses it when the language changes; the root does, with the language as its key. */
export function useLanguage(): Language {
  return useSyncExternalStore((changed) => {
    subscribers.add(changed);
    return () => subscribers.delete(changed);
  }, currentLanguage);
}
