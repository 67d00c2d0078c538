import { formatMs, percentile } from "../../call/latency";
import { type Cause, SILENCE_MS, type TurnTiming } from "../../call/timing";
import { faultWords, plainWords } from "../../call/words";
import { t } from "../../i18n";
import { clock } from "../../ui/format";
import { WarnIcon } from "../../ui/icons";
import { LatencyBar, Waterfall } from "../../ui/latency";

/** Where the time of each answer went; those that took longer than a second say why. */
export function TimingView({ turns, seek }: { turns: TurnTiming[]; seek: ((ms: number) => void) | null }) {
  if (turns.length === 0) return <p className="text-sm text-soft">{t("call.no_timing")}</p>;
  const totals = turns.map(({ total_ms }) => total_ms);
  const scale = Math.max(SILENCE_MS * 1.5, ...totals);
  const late = turns.filter(({ causes }) => causes.length > 0).length;
  return (
    <>
      <dl className="mb-5 flex flex-wrap gap-x-10 gap-y-3 text-sm">
        <Fact name={t("call.median")} value={formatMs(percentile(totals, 0.5) ?? 0)} />
        <Fact name={t("call.p95")} value={formatMs(percentile(totals, 0.95) ?? 0)} />
        <Fact name={t("call.late_answers")} value={t("call.late_of", { late, count: turns.length })} />
      </dl>
      <Legend />
      <ol className="mt-3 flex flex-col divide-y divide-line">
        {turns.map((turn) => (
          <li key={turn.seq} data-turn-timing="" className="py-2">
            <details>
              <summary className="grid list-none grid-cols-[3.5rem_1fr_4.5rem] items-center gap-3 rounded-lg py-1 text-sm hover:bg-sunken/60">
                <span className="font-mono text-xs text-soft tabular-nums">{clock(turn.at)}</span>
                <span className="relative">
                  <LatencyBar latency={turn.latency} scale_ms={scale} />
                  <span
                    aria-hidden="true"
                    className="absolute -inset-y-1 w-px bg-warn/70"
                    style={{ left: `${(SILENCE_MS / scale) * 100}%` }}
                  />
                </span>
                <span
                  className={`text-right font-mono text-xs tabular-nums ${turn.causes.length > 0 ? "font-semibold text-warn" : ""}`}
                >
                  {formatMs(turn.total_ms)}
                </span>
              </summary>
              <div className="mt-2 grid gap-4 rounded-xl border border-line bg-paper p-4 sm:grid-cols-2">
                <Waterfall latency={turn.latency} />
                <div className="text-xs leading-relaxed text-soft">
                  {Object.entries(turn.providers).map(([stage, provider]) => (
                    <p key={stage}>
                      <span className="font-mono">{stage}</span> {provider}
                    </p>
                  ))}
                  {seek !== null && (
                    <button
                      type="button"
                      onClick={() => seek(Math.max(0, turn.at - turn.total_ms - 1_500))}
                      className="mt-2 font-medium text-accent-deep underline underline-offset-4"
                    >
                      {t("call.listen_here")}
                    </button>
                  )}
                </div>
              </div>
            </details>
            {turn.causes.length > 0 && <Why turn={turn} />}
          </li>
        ))}
      </ol>
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt className="text-xs text-soft">{name}</dt>
      <dd className="mt-0.5 font-medium tabular-nums">{value}</dd>
    </div>
  );
}

const STAGES = ["endpoint", "transcript", "first_token", "first_audio", "heard"] as const;

function Legend() {
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-soft">
      {STAGES.map((stage) => (
        <li key={stage} className="flex items-center gap-1.5">
          <span
            aria-hidden="true"
            className="size-2.5 rounded-sm"
            style={{ background: `var(--color-stage-${stage})` }}
          />
          {t(`waits.${stage}`)}
        </li>
      ))}
    </ul>
  );
}

/** The cause of a silence, in words. */
function Why({ turn }: { turn: TurnTiming }) {
  return (
    <p data-silence-cause="" className="mt-1 ml-17 flex items-start gap-1.5 text-[0.8125rem] leading-snug text-warn">
      <WarnIcon className="mt-px size-4 shrink-0" />
      <span>
        {turn.causes.map(causeWords).join(" · ")}
        {turn.bridged && <span className="text-soft"> · {t("call.bridged")}</span>}
      </span>
    </p>
  );
}

function causeWords(cause: Cause): string {
  if (cause.kind === "fault") return faultWords(cause.stage, cause.class);
  if (cause.kind === "tool") return t("call.cause_tool", { name: plainWords(cause.name) });
  return t("call.cause_stage", { stage: t(`waits.${cause.stage}`), time: formatMs(cause.ms) });
}
