import { type ReactNode, useId, useState } from "react";
import type { components } from "../../../api/schema.gen";
import { t } from "../../../i18n";
import { betweenCommas } from "../../../lib/words";
import { Button } from "../../../ui/kit/button";
import { Select, Switch, TextArea, TextField } from "../../../ui/kit/field";
import { Badge } from "../../../ui/kit/page";
import { EditRows } from "../../../ui/kit/rows";
import { NumberField, TypedField } from "../../../ui/kit/typed";
import { PHONE_KEYS, type Tool } from "../draft";
import { OptionsArea } from "../tool-editor";
import { exitName, KindIcon, kindName } from "./kinds";
import {
  type Exit,
  exitsOf,
  type Flow,
  type FlowAnswer,
  type FlowCase,
  type FlowNode,
  ID,
  type MenuChoice,
  type NodeOf,
  renamed,
  SILENCE_MS_DEFAULT,
  TRIES_DEFAULT,
  variablesOf,
  withNode,
  withTarget,
} from "./model";
import { ProblemList, type Problems } from "./problems";

interface InspectorProps {
  node: FlowNode;
  flow: Flow;
  tools: Tool[];
  language: string;
  problems: Problems;
  editable: boolean;
  change: (flow: Flow) => void;
  select: (id: string) => void;
  remove: () => void;
}

interface StepProps<Node extends FlowNode = FlowNode> {
  node: Node;
  flow: Flow;
  language: string;
  set: (node: FlowNode) => void;
}

const TEXT_MAX = 2000;
const NUMBER_MAX = 1_000_000_000;
const ANSWERS: FlowAnswer["kind"][] = ["text", "yes_no", "day", "pattern", "choice"];
const TESTS: FlowCase["test"][] = ["is", "contains", "above", "known"];

/** All that can be set about one step. */
export function Inspector(props: InspectorProps) {
  const { node, flow, tools, language, problems, editable, change, select, remove } = props;
  const set = (next: FlowNode) => change(withNode(flow, node.id, next));
  const step = { flow, language, set };
  return (
    <section
      aria-label={t("flows.step", { id: node.id })}
      data-inspector={node.id}
      className="flex flex-col gap-4 rounded-2xl border border-line bg-card p-4"
    >
      <div className="flex items-center gap-2.5">
        <span className="grid size-8 shrink-0 place-items-center rounded-lg bg-accent/12 text-accent-deep">
          <KindIcon kind={node.kind} />
        </span>
        <h2 className="flex-1 text-sm font-semibold tracking-tight">{kindName(node.kind)}</h2>
        {flow.start === node.id && <Badge tone="live">{t("flows.start")}</Badge>}
      </div>
      <p className="-mt-2 text-[0.8125rem] leading-snug text-soft">{t(`flows.kind_${node.kind}_hint`)}</p>
      <ProblemList problems={problems} />
      <fieldset disabled={!editable} className="flex min-w-0 flex-col gap-4">
        <legend className="sr-only">{t("flows.step", { id: node.id })}</legend>
        <Name
          id={node.id}
          taken={flow.nodes.map(({ id }) => id)}
          rename={(to) => {
            change(renamed(flow, node.id, to));
            select(to);
          }}
        />
        {node.kind === "say" && <Words node={node} {...step} label={t("flows.text")} />}
        {node.kind === "ask" && <AskFields node={node} {...step} />}
        {node.kind === "menu" && <MenuFields node={node} {...step} />}
        {node.kind === "branch" && <BranchFields node={node} {...step} />}
        {node.kind === "tool" && <ToolFields node={node} {...step} tools={tools} />}
        {node.kind === "set" && <SetFields node={node} {...step} />}
        {node.kind === "transfer" && <TransferFields node={node} {...step} />}
        {node.kind === "end" && <EndFields node={node} {...step} />}
        {exitsOf(node)
          .filter(({ name }) => !name.startsWith("case:"))
          .map((way) => (
            <Target key={way.name} node={node} way={way} flow={flow} set={set} />
          ))}
        {editable && (
          <div className="flex flex-wrap gap-2 border-t border-line pt-4">
            {flow.start !== node.id && (
              <Button size="sm" onClick={() => change({ ...flow, start: node.id })}>
                {t("flows.make_start")}
              </Button>
            )}
            <Button size="sm" tone="ghost" onClick={remove}>
              {t("flows.remove_step")}
            </Button>
          </div>
        )}
      </fieldset>
    </section>
  );
}

/** Taken over when it is whole: half a name would lead nowhere. */
function Name({ id, taken, rename }: { id: string; taken: string[]; rename: (to: string) => void }) {
  const [name, setName] = useState(id);
  const fits = new RegExp(`^${ID}$`).test(name);
  const clash = name !== id && taken.includes(name);
  const done = () => {
    if (name !== id && fits && !clash) rename(name);
    else if (!fits || clash) setName(id);
  };
  return (
    <TextField
      label={t("flows.id")}
      hint={t("flows.id_hint")}
      className="font-mono"
      value={name}
      onChange={(event) => setName(event.target.value)}
      onBlur={done}
      onKeyDown={(event) => event.key === "Enter" && done()}
      error={clash ? t("flows.id_taken") : fits ? undefined : t("flows.id_wrong")}
      maxLength={64}
      spellCheck={false}
    />
  );
}

function Target({
  node,
  way,
  flow,
  set,
  label = exitName(node, way),
}: {
  node: FlowNode;
  way: Exit;
  flow: Flow;
  set: (node: FlowNode) => void;
  /** Where the place says which way it is. */
  label?: string;
}) {
  const others = flow.nodes.filter(({ id }) => id !== node.id || node.kind === "ask" || node.kind === "menu");
  const known = flow.nodes.some(({ id }) => id === way.target);
  const nothing = way.optional
    ? t(node.kind === "tool" ? "flows.as_next" : "flows.goes_on_freely")
    : t("flows.choose_target");
  return (
    <Select
      label={label}
      value={way.target ?? ""}
      onChange={(event) => set(withTarget(node, way.name, event.target.value))}
      options={[
        { value: "", label: nothing },
        ...(way.target !== undefined && !known
          ? [{ value: way.target, label: `${way.target} (${t("flows.missing")})` }]
          : []),
        ...others.map(({ id, kind }) => ({ value: id, label: `${id} · ${kindName(kind)}` })),
      ]}
    />
  );
}

function Words({
  node,
  flow,
  language,
  set,
  label,
}: StepProps<NodeOf<"say"> | NodeOf<"ask"> | NodeOf<"menu">> & { label: string }) {
  return (
    <TextArea
      label={label}
      hint={<KnownVariables flow={flow} />}
      rows={3}
      lang={language}
      maxLength={TEXT_MAX}
      value={node.text}
      onChange={(event) => set({ ...node, text: event.target.value })}
    />
  );
}

function KnownVariables({ flow }: { flow: Flow }) {
  const names = variablesOf(flow);
  if (names.length === 0) return t("flows.no_variables");
  return (
    <>
      {t("flows.variables_hint")}{" "}
      {names.map((name) => (
        <code key={name} className="mr-1 rounded bg-sunken px-1 font-mono text-xs">{`{${name}}`}</code>
      ))}
    </>
  );
}

function Variable({
  label,
  hint,
  value,
  set,
}: {
  label: string;
  hint?: string;
  value: string;
  set: (name: string) => void;
}) {
  return (
    <TextField
      label={label}
      {...(hint === undefined ? {} : { hint })}
      className="font-mono"
      value={value}
      maxLength={64}
      spellCheck={false}
      onChange={(event) => set(event.target.value)}
    />
  );
}

function AskFields({ node, flow, language, set }: StepProps<NodeOf<"ask">>) {
  const answer = node.answer ?? { kind: "text" };
  const setKind = (kind: FlowAnswer["kind"]) => {
    if (kind === "pattern") set({ ...node, answer: { kind, regex: "" } });
    else if (kind === "choice") set({ ...node, answer: { kind, options: [] } });
    else set({ ...node, answer: { kind } });
  };
  return (
    <>
      <Words node={node} flow={flow} language={language} set={set} label={t("flows.question")} />
      <Variable
        label={t("flows.keep_in")}
        hint={t("flows.keep_in_hint")}
        value={node.variable}
        set={(variable) => set({ ...node, variable })}
      />
      <Select
        label={t("flows.answer")}
        hint={t(`flows.answer_${answer.kind}_hint`)}
        value={answer.kind}
        onChange={(event) => setKind(event.target.value as FlowAnswer["kind"])}
        options={ANSWERS.map((value) => ({ value, label: t(`flows.answer_${value}`) }))}
      />
      {answer.kind === "pattern" && (
        <TextField
          label={t("tools.regex")}
          placeholder="\d{5}"
          className="font-mono"
          value={answer.regex}
          spellCheck={false}
          onChange={(event) => set({ ...node, answer: { kind: "pattern", regex: event.target.value } })}
        />
      )}
      {answer.kind === "choice" && (
        <OptionsArea
          options={answer.options}
          set={(options) => set({ ...node, answer: { kind: "choice", options } })}
        />
      )}
      <Tries value={node.tries_max} set={(tries_max) => set({ ...node, tries_max })} />
    </>
  );
}

function Tries({ value, set }: { value: number | undefined; set: (tries: number) => void }) {
  return (
    <NumberField
      label={t("flows.tries")}
      hint={t("flows.tries_hint")}
      min={1}
      max={20}
      value={value ?? TRIES_DEFAULT}
      set={set}
    />
  );
}

/** Of a choice or a case, in the narrow column of the inspector. */
const WAY_LOOK = "flex flex-col gap-3 rounded-xl border border-line p-3";

function MenuFields({ node, flow, language, set }: StepProps<NodeOf<"menu">>) {
  const free = PHONE_KEYS.find((key) => !node.choices.some((one) => one.key === key));
  const setAgain = (again: string) => {
    const { again: _, ...rest } = node;
    set(again === "" ? rest : { ...rest, again });
  };
  return (
    <>
      <Words node={node} flow={flow} language={language} set={set} label={t("flows.offer")} />
      <EditRows
        items={node.choices}
        set={(choices) => set({ ...node, choices })}
        name={(_, at) => t("flows.choice", { number: at + 1 })}
        titled
        look={WAY_LOOK}
        add={{ label: t("flows.add_choice"), fresh: () => ({ ...(free ? { key: free } : {}), next: "" }) }}
      >
        {({ item, at, set: change, remove }) => (
          <>
            <ChoiceFields choice={item} change={change} language={language} remove={remove} />
            <Target node={node} way={wayOf(at, item.next)} flow={flow} set={set} label={t("flows.exit_next")} />
          </>
        )}
      </EditRows>
      <TextField
        label={t("flows.again")}
        hint={t("flows.again_hint")}
        lang={language}
        maxLength={TEXT_MAX}
        value={node.again ?? ""}
        onChange={(event) => setAgain(event.target.value)}
      />
      <NumberField
        label={t("flows.silence")}
        hint={t("flows.silence_hint")}
        min={2}
        max={30}
        value={Math.round((node.silence_ms ?? SILENCE_MS_DEFAULT) / 1000)}
        set={(seconds) => set({ ...node, silence_ms: seconds * 1000 })}
      />
      <Tries value={node.tries_max} set={(tries_max) => set({ ...node, tries_max })} />
    </>
  );
}

/** The way out by a case or a choice, which is named by its place. */
function wayOf(at: number, next: string): Exit {
  return { name: `case:${at}`, optional: false, ...(next === "" ? {} : { target: next }) };
}

interface ChoiceProps {
  choice: MenuChoice;
  change: (choice: MenuChoice) => void;
  language: string;
  remove: ReactNode;
}

function ChoiceFields({ choice, change, language, remove }: ChoiceProps) {
  const setKey = (key: string) => {
    const { key: _, ...rest } = choice;
    change(key === "" ? rest : { ...rest, key });
  };
  const setSaid = (said: string[]) => {
    const { said: _, ...rest } = choice;
    change(said.length === 0 ? rest : { ...rest, said });
  };
  return (
    <>
      <div className="flex items-end gap-2">
        <div className="min-w-0 flex-1">
          <Select
            label={t("flows.key")}
            value={choice.key ?? ""}
            onChange={(event) => setKey(event.target.value)}
            options={[
              { value: "", label: t("flows.no_key") },
              ...PHONE_KEYS.map((key) => ({ value: key, label: key })),
            ]}
          />
        </div>
        {remove}
      </div>
      <TypedField
        label={t("flows.said")}
        hint={t("flows.said_hint")}
        lang={language}
        value={choice.said ?? []}
        set={setSaid}
        write={(said) => said.join(", ")}
        read={betweenCommas}
      />
    </>
  );
}

const freshCase = (): FlowCase => ({ variable: "", test: "is", value: "", next: "" });

function BranchFields({ node, flow, set }: StepProps<NodeOf<"branch">>) {
  return (
    <EditRows
      items={node.cases}
      set={(cases) => set({ ...node, cases })}
      name={(_, at) => t("flows.exit_case", { number: at + 1 })}
      titled
      look={WAY_LOOK}
      add={{ label: t("flows.add_case"), fresh: freshCase }}
    >
      {({ item, at, set: change, remove }) => (
        <>
          <CaseFields flow={flow} one={item} change={change} remove={remove} />
          <Target node={node} way={wayOf(at, item.next)} flow={flow} set={set} label={t("flows.exit_next")} />
        </>
      )}
    </EditRows>
  );
}

interface CaseProps {
  flow: Flow;
  one: FlowCase;
  change: (one: FlowCase) => void;
  remove: ReactNode;
}

function CaseFields({ flow, one, change, remove }: CaseProps) {
  return (
    <>
      <div className="flex items-end gap-2">
        <div className="min-w-0 flex-1">
          <VariableChoice flow={flow} value={one.variable} set={(variable) => change({ ...one, variable })} />
        </div>
        {remove}
      </div>
      <Select
        label={t("flows.test")}
        value={one.test}
        onChange={(event) => change(withTest(one, event.target.value as FlowCase["test"]))}
        options={TESTS.map((value) => ({ value, label: t(`flows.test_${value}`) }))}
      />
      {one.test === "above" && (
        <NumberField
          label={t("flows.number")}
          min={-NUMBER_MAX}
          max={NUMBER_MAX}
          value={one.value}
          set={(value) => change({ ...one, value })}
        />
      )}
      {(one.test === "is" || one.test === "contains") && (
        <TextField
          label={t("flows.value")}
          value={one.value}
          onChange={(event) => change({ ...one, value: event.target.value })}
        />
      )}
    </>
  );
}

function withTest({ variable, next, ...rest }: FlowCase, test: FlowCase["test"]): FlowCase {
  const value = "value" in rest ? rest.value : "";
  if (test === "known") return { variable, next, test };
  if (test === "above") return { variable, next, test, value: Math.round(Number(value)) || 0 };
  return { variable, next, test, value: String(value) };
}

/** One of the flow's variables, or a field of a tool's answer such as `order.status`. */
function VariableChoice({ flow, value, set }: { flow: Flow; value: string; set: (name: string) => void }) {
  const list = useId();
  return (
    <>
      <TextField
        label={t("flows.variable")}
        className="font-mono"
        value={value}
        list={list}
        spellCheck={false}
        maxLength={130}
        onChange={(event) => set(event.target.value)}
      />
      <datalist id={list}>
        {variablesOf(flow).map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}

function ToolFields({ node, flow, set, tools }: StepProps<NodeOf<"tool">> & { tools: Tool[] }) {
  const tool = tools.find(({ name }) => name === node.tool);
  const given = node.arguments ?? {};
  const names = [...new Set([...(tool?.parameters ?? []).map(({ name }) => name), ...Object.keys(given)])];
  const setArgument = (name: string, value: string) => {
    const { [name]: _, ...rest } = given;
    set({ ...node, arguments: value === "" ? rest : { ...rest, [name]: value } });
  };
  const setVariable = (variable: string) => {
    const { variable: _, ...rest } = node;
    set(variable === "" ? rest : { ...rest, variable });
  };
  return (
    <>
      <Select
        label={t("flows.tool")}
        {...(tools.length === 0 ? { hint: t("flows.no_tools") } : {})}
        value={node.tool}
        onChange={(event) => set({ ...node, tool: event.target.value, arguments: {} })}
        options={[
          { value: "", label: t("flows.choose_tool") },
          ...(node.tool !== "" && tool === undefined
            ? [{ value: node.tool, label: `${node.tool} (${t("flows.missing")})` }]
            : []),
          ...tools.map(({ name }) => ({ value: name, label: name })),
        ]}
      />
      {tool !== undefined && <p className="-mt-2 text-[0.8125rem] leading-snug text-soft">{tool.description}</p>}
      {names.map((name) => {
        const parameter = tool?.parameters?.find((one) => one.name === name) as Parameter | undefined;
        return (
          <TextField
            key={name}
            label={
              parameter?.required === false ? t("flows.argument_optional", { name }) : t("flows.argument", { name })
            }
            hint={parameter?.description ?? t("flows.argument_unknown")}
            value={given[name] ?? ""}
            onChange={(event) => setArgument(name, event.target.value)}
          />
        );
      })}
      {names.length > 0 && (
        <p className="text-[0.8125rem] leading-snug text-soft">
          <KnownVariables flow={flow} />
        </p>
      )}
      <Variable
        label={t("flows.keep_result_in")}
        hint={t("flows.keep_result_in_hint")}
        value={node.variable ?? ""}
        set={setVariable}
      />
    </>
  );
}

type Parameter = components["schemas"]["ToolParameter"];

function SetFields({ node, flow, set }: StepProps<NodeOf<"set">>) {
  return (
    <>
      <Variable label={t("flows.variable")} value={node.variable} set={(variable) => set({ ...node, variable })} />
      <TextField
        label={t("flows.value")}
        hint={<KnownVariables flow={flow} />}
        value={node.value}
        maxLength={TEXT_MAX}
        onChange={(event) => set({ ...node, value: event.target.value })}
      />
    </>
  );
}

function TransferFields({ node, set }: StepProps<NodeOf<"transfer">>) {
  return (
    <TextField
      label={t("flows.transfer_to")}
      hint={t("flows.transfer_to_hint")}
      type="tel"
      pattern="\+[0-9]{5,15}"
      placeholder="+49405550100"
      value={node.to ?? ""}
      onChange={(event) => {
        const { to: _, ...rest } = node;
        set(event.target.value === "" ? rest : { ...rest, to: event.target.value });
      }}
    />
  );
}

function EndFields({ node, flow, language, set }: StepProps<NodeOf<"end">>) {
  const hangUp = node.hang_up !== false;
  return (
    <>
      <Switch
        label={t("flows.hang_up")}
        hint={t("flows.hang_up_hint")}
        checked={hangUp}
        onChange={(hang_up) => set({ ...node, hang_up })}
      />
      <TextArea
        label={t("flows.last_words")}
        hint={
          <>
            {t("flows.last_words_hint")} <KnownVariables flow={flow} />
          </>
        }
        rows={2}
        lang={language}
        maxLength={TEXT_MAX}
        value={node.text ?? ""}
        onChange={(event) => {
          const { text: _, ...rest } = node;
          set(event.target.value === "" ? rest : { ...rest, text: event.target.value });
        }}
      />
    </>
  );
}
