import { type Mood, moodOf, moodWords } from "../call/mood";
import { t } from "../i18n";

const INKS: Record<Mood, string> = { pleased: "text-good", neutral: "text-soft", displeased: "text-danger" };
const MOUTHS: Record<Mood, string> = {
  pleased: "M8.5 14c1 1.600 2.100 2.300 3.500 2.300s2.500-.7 3.500-2.300",
  neutral: "M8.5 15h7",
  displeased: "M8.5 16.300c1-1.600 2.100-2.300 3.500-2.300s2.500.7 3.500 2.300",
};

/** A face and, unless the caller is calm, a word: never colour alone. */
export function MoodSign({ value }: { value: number }) {
  const mood = moodOf(value);
  return (
    <span
      data-mood={mood}
      className={`inline-flex shrink-0 items-center gap-1 text-xs font-medium whitespace-nowrap ${INKS[mood]}`}
    >
      <svg
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.9"
        strokeLinecap="round"
        aria-hidden="true"
        className="size-4"
      >
        <circle cx="12" cy="12" r="9" />
        <path d={`M9 9.500v.1M15 9.500v.1${MOUTHS[mood]}`} />
      </svg>
      <span aria-hidden="true" className={mood === "neutral" ? "hidden" : ""}>
        {moodWords(value)}
      </span>
      <span className="sr-only">{t("mood.of_caller", { mood: moodWords(value) })}</span>
    </span>
  );
}
