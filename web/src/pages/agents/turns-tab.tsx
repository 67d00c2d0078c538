import { t } from "../../i18n";
import { Select, Switch, TextArea, TextField } from "../../ui/kit/field";
import { Card } from "../../ui/kit/page";
import { type AgentDraft, TIMINGS, type TimingName } from "./draft";
import type { TabProps } from "./words-tab";

const PATIENCE = ["quick", "normal", "patient"] as const;
const TURN_SWITCHES = ["speculate", "learn_pauses", "back_channels", "resume_after_false_stop"] as const;
const SOUND_SWITCHES = ["echo_guard", "suppress_noise", "auto_gain", "comfort_noise"] as const;
const AMBIENCES = ["office", "call_centre", "room"] as const;
const OUTBOUND = ["voicemail", "introduction", "menu_choice"] as const;

/** How an agent listens, waits and sounds. */
export function TurnsTab({ draft, set, editable }: TabProps) {
  const setTurns = (change: Partial<AgentDraft["turns"]>) => set({ turns: { ...draft.turns, ...change } });
  const setSound = (change: Partial<AgentDraft["sound"]>) => set({ sound: { ...draft.sound, ...change } });
  const setTiming = (name: TimingName, value: number) => set({ timing: { ...draft.timing, [name]: value } });
  return (
    <fieldset disabled={!editable} className="flex flex-col gap-5">
      <legend className="sr-only">{t("agents.tab_turns")}</legend>
      <Card title={t("agents.turns")}>
        <fieldset>
          <legend className="text-sm font-medium">{t("agent_fields.turns.patience")}</legend>
          <div className="mt-2 grid gap-2 sm:grid-cols-3">
            {PATIENCE.map((patience) => (
              <label
                key={patience}
                className="flex cursor-pointer flex-col rounded-xl border border-line px-3.5 py-2.5 hover:border-faint has-checked:border-accent has-checked:bg-accent/8 has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
              >
                <input
                  type="radio"
                  name="patience"
                  className="sr-only"
                  checked={draft.turns.patience === patience}
                  onChange={() => setTurns({ patience })}
                />
                <span className="text-sm font-medium">{t(`agents.patience_${patience}`)}</span>
                <span className="text-[0.8125rem] leading-snug text-soft">{t(`agents.patience_${patience}_hint`)}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <div className="mt-5 flex flex-col gap-4">
          {TURN_SWITCHES.map((name) => (
            <Switch
              key={name}
              label={t(`agent_fields.turns.${name}`)}
              hint={t(`agent_hints.turns.${name}`)}
              checked={draft.turns[name]}
              onChange={(on) => setTurns({ [name]: on })}
              disabled={!editable}
            />
          ))}
        </div>
      </Card>
      <Card title={t("agents.sound")}>
        <div className="flex flex-col gap-4">
          {SOUND_SWITCHES.map((name) => (
            <Switch
              key={name}
              label={t(`agent_fields.sound.${name}`)}
              hint={t(`agent_hints.sound.${name}`)}
              checked={draft.sound[name]}
              onChange={(on) => setSound({ [name]: on })}
              disabled={!editable}
            />
          ))}
          <Select
            label={t("agent_fields.sound.ambience")}
            hint={t("agent_hints.sound.ambience")}
            value={draft.sound.ambience ?? ""}
            onChange={(event) =>
              setSound({ ambience: event.target.value === "" ? null : (event.target.value as "office") })
            }
            options={[
              { value: "", label: t("agents.ambience_none") },
              ...AMBIENCES.map((value) => ({ value, label: t(`agents.ambience_${value}`) })),
            ]}
          />
        </div>
      </Card>
      <Card title={t("agents.outbound")}>
        <div className="flex flex-col gap-4">
          <Switch
            label={t("agent_fields.outbound.screen")}
            hint={t("agent_hints.outbound.screen")}
            checked={draft.outbound.screen}
            onChange={(screen) => set({ outbound: { ...draft.outbound, screen } })}
            disabled={!editable}
          />
          {OUTBOUND.map((name) => (
            <TextArea
              key={name}
              rows={2}
              lang={draft.language}
              label={t(`agent_fields.outbound.${name}`)}
              hint={t(`agent_hints.outbound.${name}`)}
              value={draft.outbound[name]}
              onChange={(event) => set({ outbound: { ...draft.outbound, [name]: event.target.value } })}
            />
          ))}
        </div>
      </Card>
      <details className="rounded-2xl border border-line bg-card p-4 sm:p-5">
        <summary className="text-sm font-semibold tracking-tight">{t("agents.timing")}</summary>
        <p className="mt-1 text-sm text-soft">{t("agents.timing_lead")}</p>
        <div className="mt-4 grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
          {TIMINGS.map((name) => (
            <TextField
              key={name}
              type="number"
              min={0}
              label={t(`agent_fields.timing.${name}`)}
              hint={t(`agent_hints.timing.${name}`)}
              value={draft.timing[name]}
              onChange={(event) => {
                const value = event.target.valueAsNumber;
                if (Number.isInteger(value) && value >= 0) setTiming(name, value);
              }}
            />
          ))}
        </div>
      </details>
    </fieldset>
  );
}
