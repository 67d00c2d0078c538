import { t } from "../../i18n";
import { linesOf } from "../../lib/words";
import { zoneOptions } from "../../lib/zones";
import { Button } from "../../ui/kit/button";
import { Select, TextArea, TextField } from "../../ui/kit/field";
import { Card } from "../../ui/kit/page";
import { NumberField, TypedArea } from "../../ui/kit/typed";
import { HoursEditor, WEEKDAYS } from "../settings/hours";
import type { AgentHours, Guardrails, Outside } from "./draft";
import type { TabProps } from "./words-tab";

const RULES_MAX = 50;
const RULE_CHARS_MAX = 100;
const OFFER_AFTER_MAX = 10;
const MINUTE_MS = 60_000;
/** No call of the server is longer. */
const MINUTES_MAX = 30;
const PHONE = "\\+[0-9]{5,15}";
const OUTSIDE = ["take_anyway", "message", "transfer"] as const;
const FRESH: AgentHours = {
  time_zone: null,
  week: [{ days: WEEKDAYS.slice(0, 5), from: "09:00", to: "18:00" }],
  special: [],
  outside: { kind: "take_anyway" },
};
const NO_RULES: Guardrails = {
  refuse_topics: [],
  never_say: [],
  instead: "",
  offer_person: { situations: [], after_refusals: 0, after_failed_turns: 2 },
};

/** When the agent takes calls, and what it must not do whatever a language model says. */
export function ConductTab({ draft, set, editable }: TabProps) {
  const rules = draft.guardrails ?? NO_RULES;
  const setRules = (change: Partial<Guardrails>) => set({ guardrails: { ...rules, ...change } });
  const person = rules.offer_person;
  const setPerson = (change: Partial<Guardrails["offer_person"]>) =>
    setRules({ offer_person: { ...person, ...change } });
  return (
    <fieldset disabled={!editable} className="flex flex-col gap-5">
      <legend className="sr-only">{t("conduct.tab")}</legend>
      <Card title={t("conduct.hours")}>
        <HoursOf draft={draft} set={set} editable={editable} />
      </Card>
      <Card title={t("conduct.rules")}>
        <p className="mb-4 max-w-prose text-sm leading-relaxed text-soft">{t("conduct.rules_text")}</p>
        <div className="grid gap-4 sm:grid-cols-2">
          <LinesField
            label={t("conduct.refuse_topics")}
            hint={t("conduct.refuse_topics_hint")}
            lang={draft.language}
            value={rules.refuse_topics}
            onChange={(refuse_topics) => setRules({ refuse_topics })}
          />
          <LinesField
            label={t("conduct.never_say")}
            hint={t("conduct.never_say_hint")}
            lang={draft.language}
            value={rules.never_say}
            onChange={(never_say) => setRules({ never_say })}
          />
        </div>
        <div className="mt-4">
          <TextArea
            label={t("conduct.instead")}
            lang={draft.language}
            rows={2}
            maxLength={300}
            value={rules.instead}
            onChange={(event) => setRules({ instead: event.target.value })}
          />
        </div>
      </Card>
      <Card title={t("conduct.person")}>
        {draft.handoff_to === null && (
          <p className="mb-4 text-sm leading-relaxed text-soft">{t("conduct.person_text")}</p>
        )}
        <LinesField
          label={t("conduct.situations")}
          hint={t("conduct.situations_hint")}
          lang={draft.language}
          value={person.situations}
          onChange={(situations) => setPerson({ situations })}
        />
        <div className="mt-4 grid gap-4 sm:grid-cols-2">
          <CountField
            label={t("conduct.after_refusals")}
            hint={t("conduct.after_refusals_hint")}
            min={0}
            value={person.after_refusals}
            onChange={(after_refusals) => setPerson({ after_refusals })}
          />
          <CountField
            label={t("conduct.after_failed_turns")}
            hint={t("conduct.after_failed_turns_hint")}
            min={1}
            value={person.after_failed_turns}
            onChange={(after_failed_turns) => setPerson({ after_failed_turns })}
          />
        </div>
      </Card>
      <Card title={t("conduct.limits")}>
        <div className="sm:max-w-xs">
          <NumberField
            min={1}
            max={MINUTES_MAX}
            step="any"
            label={t("conduct.longest_call")}
            hint={t("conduct.longest_call_hint")}
            value={draft.timing.call_ms_max / MINUTE_MS}
            set={(minutes) => set({ timing: { ...draft.timing, call_ms_max: Math.round(minutes * MINUTE_MS) } })}
          />
        </div>
      </Card>
    </fieldset>
  );
}

function HoursOf({ draft, set, editable }: TabProps) {
  const { hours } = draft;
  if (hours == null) {
    return (
      <div className="flex flex-wrap items-center gap-3 text-sm">
        <p className="min-w-0 flex-1 text-soft">{t("conduct.hours_none")}</p>
        <Button size="sm" onClick={() => set({ hours: FRESH })}>
          {t("conduct.set_hours")}
        </Button>
      </div>
    );
  }
  const setHours = (change: Partial<AgentHours>) => set({ hours: { ...hours, ...change } });
  return (
    <div className="flex flex-col gap-5">
      <p className="max-w-prose text-sm leading-relaxed text-soft">{t("conduct.hours_text")}</p>
      <div className="sm:max-w-xs">
        <Select
          label={t("conduct.zone")}
          value={hours.time_zone ?? ""}
          onChange={(event) => setHours({ time_zone: event.target.value === "" ? null : event.target.value })}
          options={[{ value: "", label: t("conduct.zone_of_business") }, ...zoneOptions(hours.time_zone)]}
        />
      </div>
      <HoursEditor hours={hours} set={setHours} disabled={!editable} />
      <OutsideOf outside={hours.outside} lang={draft.language} set={(outside) => setHours({ outside })} />
      <Button size="sm" tone="ghost" className="self-start" onClick={() => set({ hours: null })}>
        {t("conduct.around_the_clock")}
      </Button>
    </div>
  );
}

function OutsideOf({ outside, lang, set }: { outside: Outside; lang: string; set: (outside: Outside) => void }) {
  const text = outside.kind === "take_anyway" ? t("conduct.outside_words_start") : outside.text;
  const choose = (kind: Outside["kind"]) => {
    if (kind === "take_anyway") set({ kind });
    else set(kind === "message" ? { kind, text } : { kind, text, to: "" });
  };
  return (
    <fieldset>
      <legend className="text-sm font-medium">{t("conduct.outside")}</legend>
      <div className="mt-2 grid gap-2 sm:grid-cols-3">
        {OUTSIDE.map((kind) => (
          <label
            key={kind}
            className="flex cursor-pointer flex-col rounded-xl border border-line px-3.5 py-2.5 hover:border-faint has-checked:border-accent has-checked:bg-accent/8 has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name="outside"
              className="sr-only"
              checked={outside.kind === kind}
              onChange={() => choose(kind)}
            />
            <span className="text-sm font-medium">{t(`conduct.outside_${kind}`)}</span>
            <span className="text-[0.8125rem] leading-snug text-soft">{t(`conduct.outside_${kind}_hint`)}</span>
          </label>
        ))}
      </div>
      {outside.kind !== "take_anyway" && (
        <div className="mt-4 grid gap-4 sm:grid-cols-2">
          <TextArea
            label={t("conduct.outside_words")}
            lang={lang}
            rows={2}
            maxLength={500}
            required
            value={outside.text}
            onChange={(event) => set({ ...outside, text: event.target.value })}
          />
          {outside.kind === "transfer" && (
            <TextField
              label={t("conduct.outside_to")}
              hint={t("conduct.phone_hint")}
              type="tel"
              pattern={PHONE}
              placeholder="+49405550100"
              required
              value={outside.to}
              onChange={(event) => set({ ...outside, to: event.target.value.trim() })}
            />
          )}
        </div>
      )}
    </fieldset>
  );
}

interface LinesProps {
  label: string;
  hint: string;
  lang: string;
  value: string[];
  onChange: (value: string[]) => void;
}

/** One a line. */
function LinesField({ value, onChange, ...rest }: LinesProps) {
  return (
    <TypedArea
      {...rest}
      rows={3}
      value={value}
      set={onChange}
      write={(lines) => lines.join("\n")}
      read={(text) =>
        linesOf(text)
          .map((line) => line.slice(0, RULE_CHARS_MAX))
          .slice(0, RULES_MAX)
      }
    />
  );
}

interface CountProps {
  label: string;
  hint: string;
  min: number;
  value: number;
  onChange: (value: number) => void;
}

function CountField({ onChange, ...rest }: CountProps) {
  return <NumberField {...rest} max={OFFER_AFTER_MAX} set={onChange} />;
}
