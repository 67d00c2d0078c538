import type { components } from "../../api/schema.gen";
import { locale, t } from "../../i18n";
import { Check } from "../../ui/kit/check";
import { Select, TextField } from "../../ui/kit/field";
import { EditRows } from "../../ui/kit/rows";

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
  return (
    <fieldset disabled={disabled} className="flex flex-col gap-3">
      <legend className="mb-2 text-sm font-medium">{t("settings.hours")}</legend>
      <EditRows
        items={hours.week}
        set={(week) => set({ ...hours, week })}
        name={(_, at) => t("settings.hours_row", { number: at + 1 })}
        none={t("settings.no_hours")}
        look="rounded-xl border border-line p-3"
        removeSize="sm"
        add={{ label: t("settings.add_hours"), fresh: () => FRESH }}
      >
        {({ item: span, set, remove }) => (
          <>
            <Days days={span.days} set={(days) => set({ ...span, days })} />
            <div className="mt-2 flex items-center gap-2 text-sm">
              <Times span={span} set={(times) => set({ ...span, ...times })} />
              {remove}
            </div>
          </>
        )}
      </EditRows>
      <SpecialDays days={hours.special ?? []} set={(special) => set({ ...hours, special })} />
    </fieldset>
  );
}

function Days({ days, set }: { days: Weekday[]; set: (days: Weekday[]) => void }) {
  return (
    <>
      <div className="flex flex-wrap gap-x-4">
        {WEEKDAYS.map((day) => (
          <Check
            key={day}
            label={weekdayName(day)}
            checked={days.includes(day)}
            onChange={(on) => set(WEEKDAYS.filter((one) => (one === day ? on : days.includes(one))))}
          />
        ))}
      </div>
      {days.length === 0 && (
        <p role="alert" className="text-[0.8125rem] leading-snug text-danger">
          {t("settings.no_days")}
        </p>
      )}
    </>
  );
}

const OPEN: Times = { from: "10:00", to: "14:00" };

/** Holidays and the like: closed, or open at other times. */
function SpecialDays({ days, set }: { days: SpecialDay[]; set: (days: SpecialDay[]) => void }) {
  return (
    <fieldset className="mt-1 flex flex-col gap-2">
      <legend className="text-sm font-medium">{t("conduct.special")}</legend>
      <p className="mb-1 text-[0.8125rem] leading-snug text-soft">{t("conduct.special_text")}</p>
      <EditRows
        items={days}
        set={set}
        name={(_, at) => t("conduct.special_row", { number: at + 1 })}
        mark={({ date }) => ({ "data-special": date })}
        look="flex flex-wrap items-center gap-2 text-sm"
        removeSize="sm"
        add={{ label: t("conduct.add_special"), fresh: () => ({ date: today(), spans: [] }) }}
        layout={(rows, add) => (
          <>
            {rows}
            {add}
          </>
        )}
      >
        {({ item: day, set, remove }) => (
          <>
            <OneDay day={day} set={set} />
            {remove}
          </>
        )}
      </EditRows>
    </fieldset>
  );
}

function OneDay({ day, set }: { day: SpecialDay; set: (day: SpecialDay) => void }) {
  const spans = day.spans ?? [];
  return (
    <>
      <TextField
        bare
        type="date"
        label={t("conduct.special_day")}
        value={day.date}
        required
        onChange={(event) => set({ ...day, date: event.target.value })}
      />
      <Select
        bare
        label={t("conduct.special_kind")}
        value={spans.length === 0 ? "closed" : "open"}
        onChange={(event) => set({ ...day, spans: event.target.value === "open" ? [OPEN] : [] })}
        options={[
          { value: "closed", label: t("conduct.special_closed") },
          { value: "open", label: t("conduct.special_open") },
        ]}
      />
      {spans.map((span, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: none is added or taken away here.
        <span key={at} className="flex items-center gap-2">
          <Times span={span} set={(times) => set({ ...day, spans: spans.with(at, times) })} />
        </span>
      ))}
    </>
  );
}

type Times = components["schemas"]["Span"];

function Times({ span: { from, to }, set }: { span: Times; set: (span: Times) => void }) {
  return (
    <>
      <TimeInput label={t("settings.opens")} value={from} set={(from) => set({ from, to })} />
      <span aria-hidden="true">–</span>
      <TimeInput label={t("settings.closes")} value={to} midnight set={(to) => set({ from, to })} />
    </>
  );
}

/** Of the viewer's zone, `2026-11-22`. */
function today(): string {
  const now = new Date();
  const two = (number: number) => String(number).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

const TIME = "([01][0-9]|2[0-3]):[0-5][0-9]";

interface TimeProps {
  label: string;
  value: string;
  set: (value: string) => void;
  /** `24:00`, the end of a day, is a time here. */
  midnight?: boolean;
}

/** Text rather than a time field, which knows no `24:00`. */
function TimeInput({ label, value, set, midnight = false }: TimeProps) {
  const pattern = midnight ? `${TIME}|24:00` : TIME;
  return (
    <input
      aria-label={label}
      aria-invalid={new RegExp(`^(${pattern})$`).test(value) ? undefined : true}
      title={t("settings.time_wrong")}
      value={value}
      pattern={pattern}
      placeholder="09:00"
      required
      onChange={(event) => set(event.target.value)}
      className="h-9 w-20 rounded-lg border border-field bg-card px-2 text-sm tabular-nums aria-invalid:border-danger"
    />
  );
}
