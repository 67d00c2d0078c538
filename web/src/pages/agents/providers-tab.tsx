import { useState } from "react";
import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t, wordsOf } from "../../i18n";
import { dollars } from "../../ui/format";
import { CloseIcon, DownIcon, PlayIcon } from "../../ui/icons";
import { IconButton, LinkButton } from "../../ui/kit/button";
import { Check } from "../../ui/kit/check";
import { Select, Switch, TextField } from "../../ui/kit/field";
import { Badge, Card } from "../../ui/kit/page";
import { useRowFocus } from "../../ui/kit/rows";
import {
  type AgentProviders,
  choiceTable,
  choiceText,
  type ProviderChoice,
  type ProviderTable,
  STAGES,
  type Stage,
  withChoices,
} from "./draft";
import { VoicePicker } from "./voice-picker";
import type { TabProps } from "./words-tab";

/** The agent's own words. */
interface Sample {
  text: string;
  language: string;
}

type Provider = components["schemas"]["ProviderView"];

const PREFERENCES = ["order", "latency", "quality", "cost", "balanced"] as const;
const REGIONS = ["on_site", "eu", "uk", "us", "canada", "india", "asia_pacific", "south_america", "global"];
const BRAINS = ["auto", "local", "llm"] as const;

/** Who hears, thinks and speaks for the agent, and who takes over when they fail. */
export function ProvidersTab({ draft, set, editable }: TabProps) {
  const can = useCan();
  const known = $api.useQuery("get", "/api/v1/providers", {}, { enabled: can("providers:read") }).data?.items ?? [];
  const { providers } = draft;
  const sample = { text: draft.lines.greeting, language: draft.language };
  const setProviders = (next: AgentProviders) => set({ providers: next });
  const setBrain = (kind: (typeof BRAINS)[number]) =>
    set({ brain: kind === "llm" ? { kind, provider: null, model: null } : { kind } });
  return (
    <fieldset disabled={!editable} className="flex flex-col gap-5">
      <legend className="sr-only">{t("agents.tab_providers")}</legend>
      <Card title={t("agents.brain_and_voice")}>
        <div className="grid gap-4 sm:grid-cols-2">
          <Select
            label={t("agent_fields.brain.kind")}
            hint={t(`agents.brain_${draft.brain.kind}_hint`)}
            value={draft.brain.kind}
            onChange={(event) => setBrain(event.target.value as (typeof BRAINS)[number])}
            options={BRAINS.map((value) => ({ value, label: t(`agents.brain_${value}`) }))}
          />
          <VoiceField
            provider={speaker(providers, known)}
            hint={t("agent_hints.voice")}
            value={draft.voice ?? ""}
            sample={sample}
            onChange={(voice) => set({ voice: voice === "" ? null : voice })}
          />
        </div>
      </Card>
      {STAGES.map((stage) => (
        <StageCard
          key={stage}
          stage={stage}
          choices={providers[stage] ?? []}
          known={known.filter((one) => one.stage === stage)}
          sample={sample}
          onChange={(choices) => setProviders(withChoices(providers, stage, choices))}
        />
      ))}
      <Rules providers={providers} set={setProviders} editable={editable} />
    </fieldset>
  );
}

interface StageProps {
  stage: Stage;
  choices: ProviderChoice[];
  known: Provider[];
  sample: Sample;
  onChange: (choices: ProviderChoice[]) => void;
}

function StageCard({ stage, choices, known, sample, onChange }: StageProps) {
  const tables = choices.map(choiceTable);
  const chosen = new Set(tables.map(({ name }) => name));
  const { list, focusOn } = useRowFocus<HTMLOListElement>(tables.length);
  const replace = (index: number, table: ProviderTable) => onChange(choices.with(index, choiceText(table)));
  const move = (index: number) => {
    const next = [...choices];
    const [one] = next.splice(index, 1);
    if (one !== undefined) next.splice(index - 1, 0, one);
    onChange(next);
  };
  return (
    <Card title={t(`agents.stage_${stage}`)}>
      {tables.length === 0 && <p className="text-sm text-soft">{t("agents.stage_open")}</p>}
      <ol ref={list} tabIndex={-1} className="flex flex-col gap-3 outline-none">
        {tables.map((table, index) => (
          <li key={table.name} data-row="" className="rounded-xl border border-line p-3">
            <Choice
              table={table}
              first={index === 0}
              provider={known.find(({ name }) => name === table.name)}
              sample={stage === "tts" ? sample : null}
              onChange={(next) => replace(index, next)}
              onUp={() => move(index)}
              onRemove={() => {
                onChange(choices.toSpliced(index, 1));
                focusOn(index, "action");
              }}
            />
          </li>
        ))}
      </ol>
      <div className="mt-3 flex flex-wrap items-center gap-3">
        <div className="w-60 max-w-full">
          <Select
            bare
            label={t("agents.add_provider", { stage: t(`agents.stage_${stage}`) })}
            value=""
            onChange={(event) => event.target.value !== "" && onChange([...choices, event.target.value])}
            options={[
              { value: "", label: tables.length === 0 ? t("agents.choose_provider") : t("agents.choose_fallback") },
              ...known
                .filter(({ name }) => !chosen.has(name))
                .map(({ name, title, usable }) => ({
                  value: name,
                  label: usable ? title : t("agents.not_set_up", { title }),
                })),
            ]}
          />
        </div>
        <LinkButton to="/settings/$section" params={{ section: "providers" }} tone="ghost" size="sm">
          {t("agents.set_up_providers")}
        </LinkButton>
      </div>
    </Card>
  );
}

function Choice({
  table,
  provider,
  first,
  sample,
  onChange,
  onUp,
  onRemove,
}: {
  table: ProviderTable;
  provider: Provider | undefined;
  first: boolean;
  /** What a voice is heard with; null where nobody speaks. */
  sample: Sample | null;
  onChange: (table: ProviderTable) => void;
  onUp: () => void;
  onRemove: () => void;
}) {
  const title = provider?.title ?? table.name;
  const text = (name: "model" | "voice" | "language" | "flag", value: string) => {
    const { [name]: _, ...rest } = table;
    onChange(value === "" ? rest : { ...rest, [name]: value });
  };
  const weight = (value: string) => {
    const { weight: _, ...rest } = table;
    onChange(value === "" ? rest : { ...rest, weight: Math.max(0, Math.trunc(Number(value))) });
  };
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        <span className="font-medium">{title}</span>
        <Badge tone={first ? "good" : "plain"}>{first ? t("agents.primary") : t("agents.fallback")}</Badge>
        {provider !== undefined && !provider.usable && <Badge tone="warn">{t("agents.unusable")}</Badge>}
        {provider?.minute_usd_micros != null && (
          <span className="text-xs text-soft">
            {t("agents.minute_costs", { cost: dollars(provider.minute_usd_micros) })}
          </span>
        )}
        <span className="ml-auto flex">
          <IconButton size="sm" label={t("kit.move_up", { name: title })} disabled={first} onClick={onUp}>
            <DownIcon className="size-4 rotate-180" />
          </IconButton>
          <IconButton size="sm" label={t("kit.remove_row", { name: title })} onClick={onRemove} data-row-action="">
            <CloseIcon className="size-4" />
          </IconButton>
        </span>
      </div>
      {provider?.problem != null && <p className="mt-1 text-[0.8125rem] text-warn">{provider.problem}</p>}
      <div className="mt-2 grid gap-3 sm:grid-cols-4">
        <TextField
          label={t("agents.model")}
          placeholder={provider?.model ?? ""}
          value={table.model ?? ""}
          onChange={(event) => text("model", event.target.value)}
        />
        {sample !== null && (
          <VoiceField
            provider={provider ?? { name: table.name, title: table.name }}
            value={table.voice ?? ""}
            sample={sample}
            onChange={(voice) => text("voice", voice)}
          />
        )}
        <TextField
          label={t("agents.weight")}
          type="number"
          min={0}
          value={table.weight ?? ""}
          onChange={(event) => weight(event.target.value)}
        />
        <TextField
          label={t("agents.flag")}
          value={table.flag ?? ""}
          onChange={(event) => text("flag", event.target.value)}
        />
      </div>
    </>
  );
}

interface Named {
  name: string;
  title: string;
  usable?: boolean;
  problem?: string | null;
}

/** Who speaks first: the agent's own choice, or else the installation's. */
function speaker({ tts = [] }: AgentProviders, known: readonly Provider[]): Named | null {
  const voices = known.filter(({ stage }) => stage === "tts");
  const own = tts[0] === undefined ? undefined : choiceTable(tts[0]).name;
  if (own !== undefined) return voices.find(({ name }) => name === own) ?? { name: own, title: own };
  const installed = voices.filter((one) => one.installed != null && !one.switched_off);
  return installed.sort((a, b) => (a.installed ?? 0) - (b.installed ?? 0))[0] ?? null;
}

function VoiceField({
  provider,
  hint,
  value,
  sample,
  onChange,
}: {
  /** Whose voices can be heard; null where nobody is known to speak. */
  provider: Named | null;
  hint?: string;
  value: string;
  sample: Sample;
  onChange: (voice: string) => void;
}) {
  const [choosing, setChoosing] = useState(false);
  const can = useCan();
  return (
    <div className="flex items-start gap-1.5">
      <div className="min-w-0 flex-1">
        <TextField
          label={t("agent_fields.voice")}
          {...(hint === undefined ? {} : { hint })}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      </div>
      {provider !== null && can("agents:write") && (
        // As far down as the field begins below its label.
        <IconButton
          label={t("voices.choose_of", { provider: provider.title })}
          onClick={() => setChoosing(true)}
          className="mt-6.5 border border-line"
        >
          <PlayIcon className="size-4" />
        </IconButton>
      )}
      {choosing && provider !== null && (
        <VoicePicker
          provider={provider.name}
          title={provider.title}
          missing={provider.usable === false ? (provider.problem ?? t("agents.unusable")) : null}
          value={value}
          text={sample.text}
          language={sample.language}
          onChange={onChange}
          onClose={() => setChoosing(false)}
        />
      )}
    </div>
  );
}

function Rules({
  providers,
  set,
  editable,
}: {
  providers: AgentProviders;
  set: (next: AgentProviders) => void;
  editable: boolean;
}) {
  const without = (name: keyof AgentProviders) => {
    const { [name]: _, ...rest } = providers;
    return rest as AgentProviders;
  };
  const regions = providers.regions ?? [];
  const setRegion = (region: string, on: boolean) => {
    const next = on ? [...regions, region] : regions.filter((one) => one !== region);
    // In the order in which the server writes them, so that what was undone is no change.
    next.sort((a, b) => REGIONS.indexOf(a) - REGIONS.indexOf(b));
    set(next.length === 0 ? without("regions") : { ...providers, regions: next });
  };
  return (
    <Card title={t("agents.rules")}>
      <div className="grid gap-4 sm:grid-cols-2">
        <Select
          label={t("agent_fields.providers.prefer")}
          value={providers.prefer ?? "order"}
          onChange={(event) => set({ ...providers, prefer: event.target.value as "order" })}
          options={PREFERENCES.map((value) => ({ value, label: t(`agents.prefer_${value}`) }))}
        />
        <TextField
          type="number"
          min={0}
          step="0.01"
          label={t("agent_fields.providers.budget_call_usd_micros")}
          hint={t("agent_hints.budget")}
          value={providers.budget_call_usd_micros === undefined ? "" : providers.budget_call_usd_micros / 1e6}
          onChange={(event) => {
            const value = event.target.valueAsNumber;
            set(
              Number.isNaN(value)
                ? without("budget_call_usd_micros")
                : { ...providers, budget_call_usd_micros: Math.round(value * 1e6) },
            );
          }}
        />
      </div>
      <fieldset className="mt-4">
        <legend className="text-sm font-medium">{t("agent_fields.providers.regions")}</legend>
        <p className="mb-2 text-[0.8125rem] text-soft">{t("agent_hints.regions")}</p>
        <div className="grid grid-cols-2 gap-1 sm:grid-cols-3">
          {REGIONS.map((region) => (
            <Check
              key={region}
              label={wordsOf("regions", region) ?? region}
              checked={regions.includes(region)}
              onChange={(on) => setRegion(region, on)}
              disabled={!editable}
            />
          ))}
        </div>
      </fieldset>
      <div className="mt-4">
        <Switch
          label={t("agent_fields.providers.strict")}
          hint={t("agent_hints.strict")}
          checked={providers.strict === true}
          onChange={(strict) => set({ ...providers, strict })}
          disabled={!editable}
        />
      </div>
    </Card>
  );
}
