import { formatMs, totalMs } from "../../call/latency";
import type { AgentLine, CallView } from "../../call/reducer";
import { t } from "../../i18n";
import { LatencyBar, Waterfall } from "../../ui/latency";

const TURNS_SHOWN = 12;

/** Where the time of the newest answer went, and how earlier ones compare. */
export function TurnsPanel({ view }: { view: CallView }) {
  const turns = view.lines.filter((line): line is AgentLine => line.kind === "agent" && line.latency !== null);
  const newest = turns.at(-1)?.latency ?? null;
  const totals = turns.flatMap((turn) => (turn.latency === null ? [] : (totalMs(turn.latency) ?? [])));
  const scale = Math.max(500, ...totals);
  const total = newest === null ? null : totalMs(newest);
  return (
    <aside
      aria-label={t("talk.response_times")}
      className="hidden w-80 shrink-0 flex-col gap-7 overflow-y-auto border-l border-line p-6 lg:flex"
    >
      <section>
        <h2 className="text-sm font-medium">{t("talk.time_to_answer")}</h2>
        {newest === null || total === null ? (
          <p className="mt-2 text-sm leading-relaxed text-faint">{t("talk.time_help")}</p>
        ) : (
          <>
            <p className="mt-1 mb-4 text-3xl font-semibold tracking-tight tabular-nums">{formatMs(total)}</p>
            <Waterfall latency={newest} />
          </>
        )}
      </section>
      {turns.length > 1 && (
        <section>
          <h2 className="mb-3 flex items-baseline justify-between text-sm font-medium">
            {t("talk.this_call")}
            <span className="font-normal text-faint tabular-nums">
              {t("talk.median", { time: formatMs(median(totals)) })}
            </span>
          </h2>
          <ol className="flex flex-col gap-2.5">
            {turns.slice(-TURNS_SHOWN).map((turn) => (
              <li key={turn.key} className="flex items-center gap-3">
                <LatencyBar latency={turn.latency ?? EMPTY} scale_ms={scale} />
                <span className="w-14 shrink-0 text-right font-mono text-xs text-soft tabular-nums">
                  {formatMs((turn.latency && totalMs(turn.latency)) ?? 0)}
                </span>
              </li>
            ))}
          </ol>
        </section>
      )}
    </aside>
  );
}

const EMPTY = { endpoint_ms: null, transcript_ms: null, first_token_ms: null, first_audio_ms: null, heard_ms: null };

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
