import { locale } from "../../i18n";
import type { Option } from "../../ui/kit/field";

/** Of what is spoken most on the phone; any other tag that an agent has stays in the list. */
const SPOKEN = [
  "en",
  "en-US",
  "en-GB",
  "en-IN",
  "hi",
  "de",
  "fr",
  "es",
  "it",
  "nl",
  "pl",
  "pt",
  "pt-BR",
  "tr",
  "ar",
  "ja",
  "zh",
  "bn",
  "ta",
  "te",
  "mr",
  "gu",
];

export function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames([locale()], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

export function languageOptions(chosen: string): Option[] {
  const tags = SPOKEN.includes(chosen) ? SPOKEN : [chosen, ...SPOKEN];
  return tags.map((value) => ({ value, label: languageName(value) }));
}
