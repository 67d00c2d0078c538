import { type FormEvent, useState } from "react";
import type { components } from "../../../api/schema.gen";
import { t } from "../../../i18n";
import { PlayIcon, SendIcon } from "../../../ui/icons";
import { Button, IconButton } from "../../../ui/kit/button";
import { Check } from "../../../ui/kit/check";
import { TextField } from "../../../ui/kit/field";
import { Badge, Card } from "../../../ui/kit/page";
import { type Flow, toolsOf } from "./model";

type Tested = components["schemas"]["FlowTested"];
type Step = Tested["steps"][number];
type FlowEnd = "waits" | "transferred" | "ended" | "free";

/** What the caller says, in turn, and what tools answer; null: it fails. */
export interface Trial {
  turns: string[];
  results: Record<string, string | null>;
}

export const NO_TRIAL: Trial = { turns: [], results: {} };
const TURN_CHARS_MAX = 1000;
const TURNS_MAX = 100;

/** The flow walked through by text. Nothing is carried out: tools answer what is entered here. */
export function TrialCard({
  flow,
  language,
  tested,
  busy,
  trial,
  setTrial,
  select,
}: {
  flow: Flow;
  language: string;
  tested: Tested | undefined;
  busy: boolean;
  trial: Trial | null;
  setTrial: (trial: Trial | null) => void;
  select: (id: string) => void;
}) {
  if (trial === null) {
    return (
      <Card title={t("flows.try")}>
        <p className="text-sm leading-relaxed text-soft">{t("flows.try_lead")}</p>
        <Button
          className="mt-3"
          icon={<PlayIcon className="size-4" />}
          disabled={flow.nodes.length === 0}
          onClick={() => setTrial(NO_TRIAL)}
        >
          {t("flows.try_begin")}
        </Button>
      </Card>
    );
  }
  const again = (
    <Button size="sm" tone="ghost" onClick={() => setTrial({ ...trial, turns: [] })}>
      {t("flows.try_again")}
    </Button>
  );
  const tools = toolsOf(flow);
  const said = (text: string) => setTrial({ ...trial, turns: [...trial.turns, text] });
  return (
    <Card title={t("flows.try")} actions={again}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard. */}
      <div role="log" aria-label={t("flows.try_log")} tabIndex={0} className="max-h-88 overflow-y-auto">
        <ol className="flex flex-col gap-2 text-sm">
          {tested?.steps.map((step, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a walk is only ever as it is.
            <TriedStep key={index} step={step} language={language} select={select} />
          ))}
        </ol>
      </div>
      {tested !== undefined && (
        <p role="status" className="mt-3 flex flex-wrap items-center gap-2 text-sm" data-flow-end={tested.end}>
          <Badge tone={tested.end === "waits" ? "live" : "good"}>{t(`flows.end_${tested.end as FlowEnd}`)}</Badge>
        </p>
      )}
      <Say
        busy={busy}
        language={language}
        disabled={tested?.end !== "waits" || trial.turns.length >= TURNS_MAX}
        said={said}
      />
      <Variables values={tested?.variables ?? {}} />
      {tools.length > 0 && (
        <fieldset className="mt-4 flex flex-col gap-2">
          <legend className="mb-1 text-sm font-medium">{t("flows.try_tools")}</legend>
          {tools.map((name) => (
            <ToolAnswer
              key={name}
              name={name}
              answer={trial.results[name]}
              set={(answer) => setTrial({ ...trial, results: { ...trial.results, [name]: answer } })}
            />
          ))}
        </fieldset>
      )}
      <Button size="sm" tone="ghost" className="mt-3" onClick={() => setTrial(null)}>
        {t("flows.try_end")}
      </Button>
    </Card>
  );
}

function TriedStep({ step, language, select }: { step: Step; language: string; select: (id: string) => void }) {
  const at = (id: string) => (
    <button
      type="button"
      className="font-mono text-xs text-faint underline-offset-2 hover:underline"
      onClick={() => select(id)}
    >
      {id}
    </button>
  );
  switch (step.step) {
    case "went":
      return (
        <li className="flex flex-col items-start gap-1">
          <span className="flex flex-wrap gap-x-2">
            {step.path.map((id, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a walk may pass a step twice.
              <span key={index}>{at(id)}</span>
            ))}
          </span>
          {step.says.map((text) => (
            <span key={text} lang={language} className="rounded-2xl rounded-tl-md bg-sunken px-3 py-1.5 wrap-anywhere">
              <span className="sr-only">{t("flows.try_agent")}</span>
              {text}
            </span>
          ))}
        </li>
      );
    case "heard":
      return (
        <li className="flex flex-col items-end gap-1">
          <span
            lang={language}
            className="max-w-[90%] rounded-2xl rounded-tr-md bg-accent/12 px-3 py-1.5 wrap-anywhere text-ink"
          >
            <span className="sr-only">{t("flows.try_caller")}</span>
            {step.text}
          </span>
          <span className={`text-xs ${step.is_answer ? "text-good" : "text-warn"}`}>
            {step.is_answer ? t("flows.try_is_answer") : t("flows.try_no_answer")}
          </span>
        </li>
      );
    case "used":
      return (
        <li className="rounded-xl border border-line px-3 py-2 text-xs">
          <p className="flex flex-wrap items-center gap-2">
            {at(step.node)}
            <code className="font-mono">{step.tool}</code>
            {step.result == null && <Badge tone="bad">{t("flows.try_failed")}</Badge>}
          </p>
          <pre className="mt-1 font-mono whitespace-pre-wrap wrap-anywhere text-soft">
            {JSON.stringify(step.args)}
            {step.result != null && ` → ${step.result}`}
          </pre>
        </li>
      );
  }
}

function Say({
  busy,
  disabled,
  language,
  said,
}: {
  busy: boolean;
  disabled: boolean;
  language: string;
  said: (text: string) => void;
}) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === "" || disabled) return;
    said(text.trim());
    setText("");
  };
  return (
    <form onSubmit={submit} className="mt-3 flex items-end gap-2">
      <div className="min-w-0 flex-1">
        <TextField
          label={t("flows.try_say")}
          lang={language}
          value={text}
          maxLength={TURN_CHARS_MAX}
          disabled={disabled}
          autoComplete="off"
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <IconButton type="submit" label={t("flows.try_send")} disabled={disabled || busy || text.trim() === ""}>
        <SendIcon className="size-4" />
      </IconButton>
    </form>
  );
}

function Variables({ values }: { values: Record<string, unknown> }) {
  const known = Object.entries(values);
  if (known.length === 0) return null;
  return (
    <div className="mt-4">
      <h3 className="mb-1 text-sm font-medium">{t("flows.variables")}</h3>
      <dl className="flex flex-col gap-0.5 text-xs">
        {known.map(([name, value]) => (
          <div key={name} className="flex gap-2">
            <dt className="shrink-0 font-mono text-faint">{name}</dt>
            <dd className="min-w-0 wrap-anywhere" data-variable={name}>
              {typeof value === "string" ? value : JSON.stringify(value)}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function ToolAnswer({
  name,
  answer,
  set,
}: {
  name: string;
  answer: string | null | undefined;
  set: (answer: string | null) => void;
}) {
  return (
    <div className="flex flex-col gap-1.5">
      <TextField
        label={t("flows.try_tool_answers", { name })}
        placeholder="done"
        value={answer ?? ""}
        disabled={answer === null}
        onChange={(event) => set(event.target.value === "" ? "done" : event.target.value)}
      />
      <Check
        label={t("flows.try_tool_fails", { name })}
        checked={answer === null}
        onChange={(fails) => set(fails ? null : "done")}
      />
    </div>
  );
}
