import type { TurnLatency } from "../api/types";
import { formatMs, latencyStages, totalMs } from "../call/latency";
import { t } from "../i18n";

const stageColor = (name: string) => `var(--color-stage-${name})`;

/** One turn as one thin bar of stages. `scale_ms` is what the full width stands for. */
export function LatencyBar({ latency, scale_ms }: { latency: TurnLatency; scale_ms: number }) {
  return (
    <span className="relative block h-1.5 w-full overflow-hidden rounded-full bg-sunken" aria-hidden="true">
      {latencyStages(latency).map((stage) => (
        <span
          key={stage.name}
          className="absolute inset-y-0 border-r border-card last:border-0"
          style={{
            left: `${(stage.from_ms / scale_ms) * 100}%`,
            width: `${((stage.to_ms - stage.from_ms) / scale_ms) * 100}%`,
            background: stageColor(stage.name),
          }}
        />
      ))}
    </span>
  );
}

/** One turn as a waterfall: when each stage ended, counted from the end of the caller's speech. */
export function Waterfall({ latency }: { latency: TurnLatency }) {
  const stages = latencyStages(latency);
  const scale = Math.max(1, stages.at(-1)?.to_ms ?? 1);
  return (
    <ol className="grid grid-cols-[auto_1fr_auto] items-center gap-x-3 gap-y-2 text-xs">
      {stages.map((stage) => (
        <li key={stage.name} className="col-span-3 grid grid-cols-subgrid items-center">
          <span className="text-soft">{t(`waits.${stage.name}`)}</span>
          <span className="relative h-2 rounded-full bg-sunken" aria-hidden="true">
            <span
              className="absolute inset-y-0 min-w-[3px] rounded-full"
              style={{
                left: `${(stage.from_ms / scale) * 100}%`,
                width: `${((stage.to_ms - stage.from_ms) / scale) * 100}%`,
                background: stageColor(stage.name),
              }}
            />
          </span>
          <span className="text-right font-mono tabular-nums">{formatMs(stage.to_ms)}</span>
        </li>
      ))}
    </ol>
  );
}

/** The wait as a figure, with the waterfall behind it. */
export function LatencyDetails({ latency }: { latency: TurnLatency }) {
  const total = totalMs(latency);
  if (total === null) return null;
  return (
    <details className="group max-w-md open:basis-full">
      <summary
        title={t("talk.wait_title")}
        className="flex h-6 w-fit list-none items-center gap-2 rounded-md font-mono text-xs text-faint tabular-nums transition-colors hover:text-ink"
      >
        <span className="block w-14">
          <LatencyBar latency={latency} scale_ms={total} />
        </span>
        <span className="sr-only">{t("talk.answered_after")}</span>
        {formatMs(total)}
      </summary>
      <div className="mt-3 rounded-xl border border-line bg-card p-4">
        <Waterfall latency={latency} />
      </div>
    </details>
  );
}
