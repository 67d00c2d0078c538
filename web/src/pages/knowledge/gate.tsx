import { t } from "../../i18n";
import { percent } from "../../ui/format";

/** How sure the gate is, on the scale of its two thresholds: below the first it declines, from the second on it answers. */
export function Gate({
  probability,
  closestFrom,
  answerFrom,
}: {
  probability: number;
  closestFrom: number;
  answerFrom: number;
}) {
  const zones = [
    { name: "decline" as const, width: closestFrom, look: "bg-danger/25" },
    { name: "closest" as const, width: answerFrom - closestFrom, look: "bg-warn/35" },
    { name: "answer" as const, width: 1 - answerFrom, look: "bg-good/35" },
  ];
  const label = t("knowledge.gate_label", {
    probability: percent(probability),
    closest: percent(closestFrom),
    answer: percent(answerFrom),
  });
  return (
    <div role="img" aria-label={label} className="pt-7 select-none">
      <div className="relative flex h-2.5 gap-px rounded-full">
        {zones.map(({ name, width, look }) => (
          <span
            key={name}
            style={{ width: `${width * 100}%` }}
            className={`h-full first:rounded-l-full last:rounded-r-full ${look}`}
          />
        ))}
        <span
          className="absolute -top-1 h-4.5 w-1 -translate-x-1/2 rounded-full bg-ink"
          style={{ left: `${probability * 100}%` }}
        />
        <span
          className="absolute -top-7 text-xs font-semibold tabular-nums"
          style={{ left: `${probability * 100}%`, transform: `translateX(-${probability * 100}%)` }}
        >
          {percent(probability)}
        </span>
      </div>
      <div className="relative mt-1.5 h-4 text-xs text-soft">
        <span className="absolute left-0">{t("knowledge.gate_declines")}</span>
        <span
          className="absolute -translate-x-1/2 tabular-nums"
          style={{ left: `${((closestFrom + answerFrom) / 2) * 100}%` }}
        >
          {percent(closestFrom)}–{percent(answerFrom)}
        </span>
        <span className="absolute right-0">{t("knowledge.gate_answers")}</span>
      </div>
    </div>
  );
}
