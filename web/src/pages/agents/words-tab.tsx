import { t } from "../../i18n";
import { Select, Switch, TextArea, TextField } from "../../ui/kit/field";
import { Card } from "../../ui/kit/page";
import { type AgentDraft, LINES, type LineName, PHONE_KEYS } from "./draft";
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
        {draft.handoff_to !== null && (
          <div className="mt-4 grid gap-4 sm:grid-cols-2">
            <Select
              label={t("agent_fields.handoff_mode")}
              hint={t("agent_hints.handoff_mode")}
              value={draft.handoff.mode}
              onChange={(event) =>
                set({ handoff: { ...draft.handoff, mode: event.target.value === "warm" ? "warm" : "cold" } })
              }
              options={[
                { value: "cold", label: t("agent_fields.handoff_cold") },
                { value: "warm", label: t("agent_fields.handoff_warm") },
              ]}
            />
            {draft.handoff.mode === "warm" && (
              <Select
                label={t("agent_fields.accept_key")}
                hint={t("agent_hints.accept_key")}
                value={draft.handoff.accept_key}
                onChange={(event) => set({ handoff: { ...draft.handoff, accept_key: event.target.value } })}
                options={PHONE_KEYS.map((key) => ({ value: key, label: key }))}
              />
            )}
          </div>
        )}
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
