import type { components } from "../../api/schema.gen";
import { locale, t } from "../../i18n";
import { CloseIcon, PlusIcon } from "../../ui/icons";
import { Button, IconButton } from "../../ui/kit/button";
import { Check } from "../../ui/kit/check";
import { Select, TextField } from "../../ui/kit/field";

export type Hours = components["schemas"]["Hours"];
type SpecialDay = components["schemas"]["SpecialDay"];
type Span = components["schemas"]["WeeklySpan"];
type Weekday = components["schemas"]["Weekday"];

export const WEEKDAYS: Weekday[] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const FRESH: Span = { days: WEEKDAYS.slice(0, 5), from: "09:00", to: "18:00" };

export function weekdayName(day: Weekday): string {
  // The first of January 2024 was a Monday.
  const date = new Date(2024, 0, 1 + WEEKDAYS.indexOf(day));
  return new Intl.DateTimeFormat(locale(), { weekday: "short" }).format(date);
}

/** Spans of a week, and days that differ. */
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
      <SpecialDays days={hours.special ?? []} set={(special) => set({ ...hours, special })} />
    </fieldset>
  );
}

const OPEN = { from: "10:00", to: "14:00" };

/** Holidays and the like: closed, or open at other times. */
function SpecialDays({ days, set }: { days: SpecialDay[]; set: (days: SpecialDay[]) => void }) {
  const setDay = (index: number, day: SpecialDay) => set(days.with(index, day));
  return (
    <fieldset className="mt-1 flex flex-col gap-2">
      <legend className="text-sm font-medium">{t("conduct.special")}</legend>
      <p className="mb-1 text-[0.8125rem] leading-snug text-soft">{t("conduct.special_text")}</p>
      {days.map((day, index) => {
        const spans = day.spans ?? [];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a day that is being typed has no identity.
          <div key={index} data-special={day.date} className="flex flex-wrap items-center gap-2 text-sm">
            <TextField
              bare
              type="date"
              label={t("conduct.special_day")}
              value={day.date}
              required
              onChange={(event) => setDay(index, { ...day, date: event.target.value })}
            />
            <Select
              bare
              label={t("conduct.special_kind")}
              value={spans.length === 0 ? "closed" : "open"}
              onChange={(event) => setDay(index, { ...day, spans: event.target.value === "open" ? [OPEN] : [] })}
              options={[
                { value: "closed", label: t("conduct.special_closed") },
                { value: "open", label: t("conduct.special_open") },
              ]}
            />
            {spans.map((span, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: as above.
              <span key={at} className="flex items-center gap-2">
                <TimeInput
                  label={t("settings.opens")}
                  value={span.from}
                  set={(from) => setDay(index, { ...day, spans: spans.with(at, { ...span, from }) })}
                />
                <span aria-hidden="true">–</span>
                <TimeInput
                  label={t("settings.closes")}
                  value={span.to}
                  set={(to) => setDay(index, { ...day, spans: spans.with(at, { ...span, to }) })}
                />
              </span>
            ))}
            <IconButton size="sm" label={t("kit.remove")} onClick={() => set(days.toSpliced(index, 1))}>
              <CloseIcon className="size-4" />
            </IconButton>
          </div>
        );
      })}
      <Button
        size="sm"
        className="self-start"
        icon={<PlusIcon className="size-4" />}
        onClick={() => set([...days, { date: today(), spans: [] }])}
      >
        {t("conduct.add_special")}
      </Button>
    </fieldset>
  );
}

/** Of the viewer's zone, `2026-11-22`. */
function today(): string {
  const now = new Date();
  const two = (number: number) => String(number).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
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
