import { type MoodPoint, moodOf, moodWords } from "../../call/mood";
import { t } from "../../i18n";
import { clock } from "../../ui/format";

const WIDTH = 600;
const HEIGHT = 56;
const EDGE = 7;
const FILLS = { pleased: "var(--color-good)", neutral: "var(--color-soft)", displeased: "var(--color-danger)" };

interface MoodLineProps {
  points: readonly MoodPoint[];
  /** How long the call lasted, so that the line stands over its recording. */
  lastedMs: number;
  seek: ((ms: number) => void) | null;
}

/** How the caller sounded from the beginning to the end: a line for the eye, a sentence for everybody. */
export function MoodLine({ points, lastedMs, seek }: MoodLineProps) {
  if (points.length === 0) return null;
  const until = Math.max(lastedMs, points.at(-1)?.at ?? 0, 1);
  const x = (at: number) => EDGE + (at / until) * (WIDTH - 2 * EDGE);
  const y = (value: number) => HEIGHT / 2 - value * (HEIGHT / 2 - EDGE);
  return (
    <figure data-mood-line={points.length} className="mt-4 rounded-2xl border border-line bg-card px-4 py-3">
      <figcaption className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 text-[0.8125rem]">
        <span className="font-medium">{t("mood.over_time")}</span>
        <span className="text-soft">{told(points)}</span>
      </figcaption>
      <div className="mt-2 grid grid-cols-[auto_minmax(0,1fr)] gap-x-2" aria-hidden="true">
        <div className="flex flex-col justify-between text-[0.6875rem] leading-none text-soft">
          <span>{t("mood.pleased")}</span>
          <span>{t("mood.displeased")}</span>
        </div>
        <div className="relative h-14">
          <svg
            aria-hidden="true"
            viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
            preserveAspectRatio="none"
            className="absolute inset-0 size-full"
          >
            <line
              x1="0"
              x2={WIDTH}
              y1={HEIGHT / 2}
              y2={HEIGHT / 2}
              stroke="var(--color-line)"
              vectorEffect="non-scaling-stroke"
            />
            <polyline
              points={points.map(({ at, value }) => `${x(at)},${y(value)}`).join(" ")}
              fill="none"
              stroke="var(--color-faint)"
              strokeWidth="1.8"
              strokeLinejoin="round"
              vectorEffect="non-scaling-stroke"
            />
          </svg>
          {points.map(({ at, value }) => (
            // biome-ignore lint/a11y/noStaticElementInteractions: the transcript's times do the same by keyboard.
            // biome-ignore lint/a11y/useKeyWithClickEvents: as above.
            <span
              key={at}
              title={t("mood.at", { time: clock(at), mood: moodWords(value) })}
              onClick={() => seek?.(at)}
              className={`absolute size-2.5 -translate-1/2 rounded-full border-2 border-card ${seek === null ? "" : "cursor-pointer"}`}
              style={{
                left: `${(x(at) / WIDTH) * 100}%`,
                top: `${(y(value) / HEIGHT) * 100}%`,
                background: FILLS[moodOf(value)],
              }}
            />
          ))}
        </div>
      </div>
      <p className="mt-1.5 text-xs text-soft">{t("mood.by_words")}</p>
    </figure>
  );
}

/** The line in words. */
function told(points: readonly MoodPoint[]): string {
  const [first, last] = [points[0] as MoodPoint, points.at(-1) as MoodPoint];
  if (points.length === 1) return t("mood.told_one", { mood: moodWords(first.value) });
  const story = t("mood.told", {
    first: moodWords(first.value).toLowerCase(),
    last: moodWords(last.value).toLowerCase(),
  });
  const lowest = points.reduce((low, one) => (one.value < low.value ? one : low));
  if (moodOf(lowest.value) !== "displeased" || lowest === last || lowest === first) return story;
  return `${story} ${t("mood.lowest", { time: clock(lowest.at) })}`;
}
