import { type FormEvent, type ReactNode, useState } from "react";
import { $api } from "../../api/client";
import { asApiError } from "../../api/problem";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { betweenCommas, linesOf } from "../../lib/words";
import { Button } from "../../ui/kit/button";
import { Check } from "../../ui/kit/check";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, Switch, TextArea, TextField } from "../../ui/kit/field";
import { Problem } from "../../ui/kit/page";
import { EditRows } from "../../ui/kit/rows";
import { TypedArea } from "../../ui/kit/typed";
import type { Tool } from "./draft";

type Parameter = components["schemas"]["ToolParameter"];
type Action = components["schemas"]["ToolAction"];
type Kind = components["schemas"]["ToolParameterKind"];

const ACTIONS: Action["kind"][] = [
  "http",
  "lookup",
  "record",
  "create_ticket",
  "send_message",
  "collect_digits",
  "mcp",
  "look_up_customer",
  "search_knowledge",
  "handoff",
  "end_call",
];
const PRIORITIES = ["low", "normal", "high", "urgent"] as const;
const METHODS = ["GET", "POST", "PUT", "DELETE"] as const;
const KINDS: Kind["kind"][] = ["text", "pattern", "choice", "day", "number", "yes_no"];
const NAME = "[a-z][a-z0-9_]{0,63}";

function freshAction(kind: Action["kind"]): Action {
  switch (kind) {
    case "http":
      return { kind, url: "", method: "GET" };
    case "lookup":
    case "record":
      return { kind, table: "" };
    case "send_message":
      return { kind, channel: "sms", text: "" };
    case "collect_digits":
      return { kind, digits_max: 6 };
    case "mcp":
      return { kind, server: "", tool: "" };
    default:
      return { kind };
  }
}

function freshKind(kind: Kind["kind"]): Kind {
  if (kind === "pattern") return { kind, regex: "" };
  return kind === "choice" ? { kind, options: [] } : { kind };
}

const freshParameter = (): Parameter => ({ name: "", description: "", kind: { kind: "text" }, required: true });

export function ToolEditor({
  tool: given,
  taken,
  save,
  onClose,
}: {
  tool: Tool;
  taken: string[];
  save: (tool: Tool) => Promise<void>;
  onClose: () => void;
}) {
  const [tool, setTool] = useState(given);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const set = (change: Partial<Tool>) => setTool({ ...tool, ...change });
  const parameters = tool.parameters ?? [];
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await save(tool);
    } catch (error) {
      setProblem(asApiError(error));
    }
    setBusy(false);
  };
  const isNew = given.name === "";
  const clash = taken.includes(tool.name);
  return (
    <Dialog open wide onClose={onClose} title={isNew ? t("tools.add") : t("tools.edit", { name: given.name })}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        {problem !== null && <Problem error={problem} />}
        <TextField
          label={t("tools.name")}
          hint={t("tools.name_hint")}
          pattern={NAME}
          value={tool.name}
          onChange={(event) => set({ name: event.target.value })}
          readOnly={!isNew}
          error={clash ? t("tools.name_taken") : undefined}
          required
        />
        <TextArea
          label={t("tools.description")}
          hint={t("tools.description_hint")}
          rows={2}
          maxLength={2000}
          value={tool.description}
          onChange={(event) => set({ description: event.target.value })}
          required
        />
        <ActionFields action={tool.action} set={(action) => set({ action })} />
        <Switch
          label={t("tools.changes_state")}
          hint={t("tools.changes_state_hint")}
          checked={tool.changes_state === true}
          onChange={(changes_state) => set({ changes_state })}
        />
        {tool.changes_state === true && (
          <TextField
            label={t("tools.confirm")}
            hint={t("tools.confirm_hint")}
            value={tool.confirm ?? ""}
            onChange={(event) => set({ confirm: event.target.value === "" ? null : event.target.value })}
          />
        )}
        <TextField
          label={t("tools.say_done")}
          hint={t("tools.say_done_hint")}
          value={tool.say_done ?? ""}
          onChange={(event) => set({ say_done: event.target.value === "" ? null : event.target.value })}
        />
        <fieldset className="flex flex-col gap-3">
          <legend className="mb-1 text-sm font-medium">{t("tools.parameters")}</legend>
          <EditRows
            items={parameters}
            set={(parameters) => set({ parameters })}
            name={({ name }, at) => (name === "" ? t("tools.parameter", { number: at + 1 }) : name)}
            look="grid gap-3 rounded-xl border border-line p-3 sm:grid-cols-2"
            add={{ label: t("tools.add_parameter"), fresh: freshParameter }}
          >
            {({ item, set, remove }) => <ParameterFields parameter={item} set={set} remove={remove} />}
          </EditRows>
        </fieldset>
        <TypedArea
          label={t("tools.examples")}
          hint={t("tools.examples_hint")}
          rows={3}
          value={tool.examples ?? []}
          set={(examples) => set({ examples })}
          write={(lines) => lines.join("\n")}
          read={linesOf}
        />
        <TypedArea
          label={t("tools.must_hold")}
          hint={t("tools.must_hold_hint")}
          rows={2}
          value={tool.must_hold ?? []}
          set={(must_hold) => set({ must_hold })}
          write={(lines) => lines.join("\n")}
          read={linesOf}
        />
        <DialogActions>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" tone="primary" busy={busy} disabled={clash}>
            {t("tools.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function ActionFields({ action, set }: { action: Action; set: (action: Action) => void }) {
  const can = useCan();
  const credentials = $api.useQuery("get", "/api/v1/tool-credentials", {}, { enabled: can("providers:read") }).data;
  const names = credentials?.items.map(({ name }) => name) ?? [];
  return (
    <>
      <Select
        label={t("tools.action")}
        hint={t(`tools.kind_${action.kind}_hint`)}
        value={action.kind}
        onChange={(event) => set(freshAction(event.target.value as Action["kind"]))}
        options={ACTIONS.map((value) => ({ value, label: t(`tools.kind_${value}`) }))}
      />
      {(action.kind === "lookup" || action.kind === "record") && (
        <TextField
          label={t("tools.table")}
          value={action.table}
          onChange={(event) => set({ ...action, table: event.target.value })}
          maxLength={100}
          required
        />
      )}
      <OtherFields action={action} set={set} />
      {action.kind === "http" && (
        <div className="grid gap-4 sm:grid-cols-[7rem_minmax(0,1fr)]">
          <Select
            label={t("tools.method")}
            value={action.method ?? "POST"}
            onChange={(event) => set({ ...action, method: event.target.value as "GET" })}
            options={METHODS.map((value) => ({ value, label: value }))}
          />
          <TextField
            label={t("tools.url")}
            type="url"
            placeholder="https://api.example.com/orders"
            value={action.url}
            onChange={(event) => set({ ...action, url: event.target.value })}
            required
          />
          <TextField
            label={t("tools.timeout")}
            type="number"
            min={100}
            max={30_000}
            value={action.timeout_ms ?? ""}
            onChange={(event) => {
              const { timeout_ms: _, ...rest } = action;
              set(event.target.value === "" ? rest : { ...rest, timeout_ms: Number(event.target.value) });
            }}
          />
          <Select
            label={t("tools.credential")}
            hint={t("tools.credential_hint")}
            value={action.credential ?? ""}
            onChange={(event) => {
              const { credential: _, ...rest } = action;
              set(event.target.value === "" ? rest : { ...rest, credential: event.target.value });
            }}
            options={[
              { value: "", label: t("kit.none") },
              ...[...new Set([...names, ...(action.credential ? [action.credential] : [])])].map((value) => ({
                value,
                label: value,
              })),
            ]}
          />
        </div>
      )}
    </>
  );
}

/** Of the actions that need a word or two. */
function OtherFields({ action, set }: { action: Action; set: (action: Action) => void }) {
  switch (action.kind) {
    case "create_ticket":
      return (
        <Select
          label={t("tools.priority")}
          value={action.priority ?? "normal"}
          onChange={(event) => set({ ...action, priority: event.target.value as (typeof PRIORITIES)[number] })}
          options={PRIORITIES.map((value) => ({ value, label: t(`tools.priority_${value}`) }))}
        />
      );
    case "send_message":
      return (
        <TextArea
          label={t("tools.message")}
          hint={t("tools.message_hint")}
          rows={3}
          maxLength={1500}
          value={action.text}
          onChange={(event) => set({ ...action, text: event.target.value })}
          required
        />
      );
    case "collect_digits":
      return (
        <TextField
          label={t("tools.digits_max")}
          type="number"
          min={1}
          max={64}
          value={action.digits_max}
          onChange={(event) => set({ ...action, digits_max: Number(event.target.value) })}
          required
        />
      );
    case "mcp":
      return (
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label={t("tools.server")}
            value={action.server}
            onChange={(event) => set({ ...action, server: event.target.value })}
            required
          />
          <TextField
            label={t("tools.server_tool")}
            value={action.tool}
            onChange={(event) => set({ ...action, tool: event.target.value })}
            required
          />
        </div>
      );
    default:
      return null;
  }
}

function ParameterFields({
  parameter,
  set,
  remove,
}: {
  parameter: Parameter;
  set: (next: Parameter) => void;
  remove: ReactNode;
}) {
  const { kind } = parameter;
  return (
    <>
      <TextField
        label={t("tools.parameter_name")}
        pattern={NAME}
        value={parameter.name}
        onChange={(event) => set({ ...parameter, name: event.target.value })}
        required
      />
      <Select
        label={t("tools.parameter_kind")}
        value={kind.kind}
        onChange={(event) => set({ ...parameter, kind: freshKind(event.target.value as Kind["kind"]) })}
        options={KINDS.map((value) => ({ value, label: t(`tools.parameter_${value}`) }))}
      />
      <div className="sm:col-span-2">
        <TextField
          label={t("tools.parameter_description")}
          value={parameter.description}
          onChange={(event) => set({ ...parameter, description: event.target.value })}
          required
        />
      </div>
      {kind.kind === "pattern" && (
        <TextField
          label={t("tools.regex")}
          placeholder="[A-Z]{2}[0-9]{6}"
          value={kind.regex}
          onChange={(event) => set({ ...parameter, kind: { kind: "pattern", regex: event.target.value } })}
          required
        />
      )}
      {kind.kind === "choice" && (
        <div className="sm:col-span-2">
          <OptionsArea
            options={kind.options}
            set={(options) => set({ ...parameter, kind: { kind: "choice", options } })}
            required
          />
        </div>
      )}
      <TextField
        label={t("tools.ask")}
        hint={t("tools.ask_hint")}
        value={parameter.ask ?? ""}
        onChange={(event) => set({ ...parameter, ask: event.target.value === "" ? null : event.target.value })}
      />
      <div className="flex items-center justify-between gap-3">
        <Check
          label={t("tools.required")}
          checked={parameter.required !== false}
          onChange={(required) => set({ ...parameter, required })}
        />
        {remove}
      </div>
    </>
  );
}

interface Choice {
  value: string;
  said?: string[];
}

/** A line is one value, with the words by which customers mean it behind commas: `full, large, complete`. */
export function OptionsArea({
  options,
  set,
  required = false,
}: {
  options: Choice[];
  set: (options: Choice[]) => void;
  required?: boolean;
}) {
  return (
    <TypedArea
      label={t("tools.options")}
      hint={t("tools.options_hint")}
      rows={3}
      value={options}
      set={set}
      write={(options) => options.map(({ value, said }) => [value, ...(said ?? [])].join(", ")).join("\n")}
      read={optionsOf}
      required={required}
    />
  );
}

function optionsOf(text: string): Choice[] {
  return linesOf(text).flatMap((line) => {
    const [value, ...said] = betweenCommas(line);
    return value === undefined ? [] : [{ value, said }];
  });
}
