import type { components } from "../../api/schema.gen";
import { locale, t } from "../../i18n";
import { CloseIcon, PlusIcon } from "../../ui/icons";
import { Button, IconButton } from "../../ui/kit/button";
import { Check } from "../../ui/kit/check";

export type Hours = components["schemas"]["Hours"];
type Span = components["schemas"]["WeeklySpan"];
type Weekday = components["schemas"]["Weekday"];

export const WEEKDAYS: Weekday[] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const FRESH: Span = { days: WEEKDAYS.slice(0, 5), from: "09:00", to: "18:00" };

export function weekdayName(day: Weekday): string {
  // The first of January 2024 was a Monday.
  const date = new Date(2024, 0, 1 + WEEKDAYS.indexOf(day));
  return new Intl.DateTimeFormat(locale(), { weekday: "short" }).format(date);
}

/** Spans of a week; days that differ stay as they are. */
export function HoursEditor({
  hours,
  set,
  disabled = false,
}: {
  hours: Hours;
  set: (hours: Hours) => void;
  disabled?: boolean;
}) {
  const setSpan = (index: number, span: Span) => set({ ...hours, week: hours.week.with(index, span) });
  return (
    <fieldset disabled={disabled} className="flex flex-col gap-3">
      <legend className="mb-2 text-sm font-medium">{t("settings.hours")}</legend>
      {hours.week.map((span, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: spans have no identity; the place is what is edited.
        <div key={index} className="rounded-xl border border-line p-3">
          <div className="flex flex-wrap gap-x-4">
            {WEEKDAYS.map((day) => (
              <Check
                key={day}
                label={weekdayName(day)}
                checked={span.days.includes(day)}
                onChange={(on) =>
                  setSpan(index, {
                    ...span,
                    days: WEEKDAYS.filter((one) => (one === day ? on : span.days.includes(one))),
                  })
                }
              />
            ))}
          </div>
          <div className="mt-2 flex items-center gap-2 text-sm">
            <TimeInput
              label={t("settings.opens")}
              value={span.from}
              set={(from) => setSpan(index, { ...span, from })}
            />
            <span aria-hidden="true">–</span>
            <TimeInput label={t("settings.closes")} value={span.to} set={(to) => setSpan(index, { ...span, to })} />
            <IconButton
              size="sm"
              label={t("kit.remove")}
              onClick={() => set({ ...hours, week: hours.week.toSpliced(index, 1) })}
            >
              <CloseIcon className="size-4" />
            </IconButton>
          </div>
        </div>
      ))}
      <Button
        size="sm"
        className="self-start"
        icon={<PlusIcon className="size-4" />}
        onClick={() => set({ ...hours, week: [...hours.week, FRESH] })}
      >
        {t("settings.add_hours")}
      </Button>
    </fieldset>
  );
}

/** Text rather than a time field: `24:00` is the end of a day. */
function TimeInput({ label, value, set }: { label: string; value: string; set: (value: string) => void }) {
  return (
    <input
      aria-label={label}
      value={value}
      pattern="([01][0-9]|2[0-3]):[0-5][0-9]|24:00"
      placeholder="09:00"
      required
      onChange={(event) => set(event.target.value)}
      className="h-9 w-20 rounded-lg border border-field bg-card px-2 text-sm tabular-nums"
    />
  );
}
