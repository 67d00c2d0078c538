import { t } from "../../i18n";
import { Select, Switch, TextArea, TextField } from "../../ui/kit/field";
import { Card } from "../../ui/kit/page";
import { type AgentDraft, HANDOFF_MODES, LINES, type LineName, PHONE_KEYS } from "./draft";
import { languageOptions } from "./languages";

export interface TabProps {
  draft: AgentDraft;
  set: (change: Partial<AgentDraft>) => void;
  editable: boolean;
}

/** Those that most people want to change; the others are further down. */
const FIRST: LineName[] = ["greeting", "notice", "goodbye"];

export function WordsTab({ draft, set, editable }: TabProps) {
  const setLine = (name: LineName, text: string) => set({ lines: { ...draft.lines, [name]: text } });
  const line = (name: LineName) => (
    <TextArea
      key={name}
      rows={2}
      lang={draft.language}
      label={t(`agent_fields.lines.${name}`)}
      hint={t(`agent_hints.lines.${name}`)}
      value={draft.lines[name]}
      onChange={(event) => setLine(name, event.target.value)}
    />
  );
  return (
    <fieldset disabled={!editable} className="flex flex-col gap-5">
      <legend className="sr-only">{t("agents.tab_words")}</legend>
      <Card title={t("agents.who")}>
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label={t("agent_fields.name")}
            value={draft.name}
            onChange={(event) => set({ name: event.target.value })}
            maxLength={200}
            required
          />
          <TextField
            label={t("agent_fields.business_name")}
            hint={t("agent_hints.business_name")}
            value={draft.business_name}
            onChange={(event) => set({ business_name: event.target.value })}
            maxLength={200}
            required
          />
          <Select
            label={t("agent_fields.language")}
            hint={t("agent_hints.language")}
            value={draft.language}
            onChange={(event) => set({ language: event.target.value })}
            options={languageOptions(draft.language)}
          />
          <TextField
            label={t("agent_fields.handoff_to")}
            hint={t("agent_hints.handoff_to")}
            type="tel"
            pattern="\+[0-9]{5,15}"
            placeholder="+49405550100"
            value={draft.handoff_to ?? ""}
            onChange={(event) =>
              set({ handoff_to: event.target.value.trim() === "" ? null : event.target.value.trim() })
            }
          />
        </div>
        <HandoffFields draft={draft} set={set} />
        <div className="mt-4">
          <TextArea
            label={t("agent_fields.persona")}
            hint={t("agent_hints.persona")}
            lang={draft.language}
            rows={9}
            maxLength={50_000}
            value={draft.persona}
            onChange={(event) => set({ persona: event.target.value })}
          />
        </div>
      </Card>
      <Card title={t("agents.lines_first")}>
        <div className="flex flex-col gap-4">{FIRST.map(line)}</div>
      </Card>
      <Card title={t("agents.lines_rest")}>
        <div className="grid gap-4 sm:grid-cols-2">
          {LINES.filter((name) => !FIRST.includes(name)).map(line)}
          <TextArea
            rows={2}
            lang={draft.language}
            label={t("agent_fields.lines.back_channels")}
            hint={t("agent_hints.lines.back_channels")}
            value={draft.lines.back_channels.join("\n")}
            onChange={(event) => set({ lines: { ...draft.lines, back_channels: event.target.value.split("\n") } })}
          />
        </div>
      </Card>
      <Card title={t("agents.recording")}>
        <Switch
          label={t("agent_fields.record")}
          hint={t("agent_hints.record")}
          checked={draft.record}
          onChange={(record) => set({ record })}
          disabled={!editable}
        />
      </Card>
    </fieldset>
  );
}

/** How a person comes to a caller. Without a number callers may still wait for somebody at the desk. */
function HandoffFields({ draft, set }: Omit<TabProps, "editable">) {
  const { handoff } = draft;
  const change = (part: Partial<AgentDraft["handoff"]>) => set({ handoff: { ...handoff, ...part } });
  const keys = PHONE_KEYS.map((key) => ({ value: key, label: key }));
  return (
    <div className="mt-4 grid gap-4 sm:grid-cols-2">
      <Select
        label={t("agent_fields.handoff_mode")}
        hint={t("agent_hints.handoff_mode")}
        value={handoff.mode}
        onChange={({ target }) => change({ mode: HANDOFF_MODES.find((mode) => mode === target.value) ?? "cold" })}
        options={HANDOFF_MODES.map((mode) => ({ value: mode, label: t(`agent_fields.handoff_${mode}`) }))}
      />
      {handoff.mode === "warm" && (
        <Select
          label={t("agent_fields.accept_key")}
          hint={t("agent_hints.accept_key")}
          value={handoff.accept_key}
          onChange={({ target }) => change({ accept_key: target.value })}
          options={keys}
        />
      )}
      {handoff.mode === "queue" && (
        <>
          <TextField
            type="number"
            inputMode="decimal"
            label={t("agent_fields.wait_minutes")}
            hint={t("agent_hints.wait_minutes")}
            min={0.5}
            max={30}
            step={0.5}
            required
            value={handoff.wait_ms_max / 60_000}
            onChange={({ target: { valueAsNumber: minutes } }) => {
              if (Number.isFinite(minutes)) change({ wait_ms_max: Math.round(minutes * 60_000) });
            }}
          />
          <Select
            label={t("agent_fields.call_back_key")}
            hint={t("agent_hints.call_back_key")}
            value={handoff.call_back_key}
            onChange={({ target }) => change({ call_back_key: target.value })}
            options={keys}
          />
        </>
      )}
    </div>
  );
}
