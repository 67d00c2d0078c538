import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { currentLanguage, t } from "../../i18n";
import { freeSlug } from "../../lib/slug";
import { BookIcon, CheckIcon, MicIcon, PhoneIcon, QuestionIcon, UploadIcon } from "../../ui/icons";
import { Button, LinkButton } from "../../ui/kit/button";
import { useDraft } from "../../ui/kit/draft";
import { Select, TextArea, TextField } from "../../ui/kit/field";
import { Page, Problem, Skeleton } from "../../ui/kit/page";
import { toast, toastProblem } from "../../ui/kit/toast";

import { PairsDialog } from "../knowledge/add-pairs";
import { FilePicker } from "../knowledge/drop-zone";
import { useJobs, useWork } from "../knowledge/jobs";
import { Work } from "../knowledge/work";
import { NumberDialog } from "../settings/numbers";

type Schemas = components["schemas"];
type Business = Schemas["BusinessView"];

/** Of what is there already. */
const NAMED_MAX = 3;
const init = { params: { query: { limit: 100 } } };

/** From nothing to an agent that answers a number; what is done is read from the server, not remembered. */
export default function StartPage() {
  const can = useCan();
  const business = $api.useQuery("get", "/api/v1/business", {}, { enabled: can("business:read") });
  const agents = $api.useQuery("get", "/api/v1/agents");
  const numbers = $api.useQuery("get", "/api/v1/numbers", {}, { enabled: can("numbers:read") });
  const calls = $api.useQuery("get", "/api/v1/calls", { params: { query: { limit: 100 } } });
  const documents = $api.useQuery("get", "/api/v1/knowledge/documents", init, { enabled: can("knowledge:read") });
  const error = business.error ?? agents.error ?? documents.error ?? numbers.error ?? calls.error;
  const published = (agents.data?.items ?? []).filter(({ version }) => version > 0);
  const steps: StepProps[] = [
    {
      title: t("start.business"),
      text: t("start.business_text"),
      done: business.data?.hours != null,
      children: can("business:manage") && <BusinessForm />,
    },
    {
      title: t("start.documents"),
      text: t("start.documents_text"),
      done: (documents.data?.items ?? []).length > 0,
      children: <DocumentsStep titles={(documents.data?.items ?? []).map(({ title }) => title)} />,
    },
    {
      title: t("start.agent"),
      text: t("start.agent_text"),
      done: published.length > 0,
      children: (
        <AgentStep
          agents={published}
          taken={(agents.data?.items ?? []).map(({ slug }) => slug)}
          business={business.data?.name ?? ""}
        />
      ),
    },
    {
      title: t("start.talk"),
      text: t("start.talk_text"),
      done: (calls.data?.items ?? []).some(({ carrier }) => carrier === "browser"),
      children: (
        <LinkButton to="/talk" icon={<MicIcon className="size-4" />} disabled={published.length === 0}>
          {t("start.talk_go")}
        </LinkButton>
      ),
    },
    {
      title: t("start.number"),
      text: t("start.number_text"),
      done: (numbers.data?.items ?? []).length > 0,
      children: (
        <NumberStep
          numbers={(numbers.data?.items ?? []).map(({ number }) => number)}
          agents={published}
          changed={() => void numbers.refetch()}
        />
      ),
    },
  ];
  const done = steps.filter((step) => step.done).length;
  const next = steps.findIndex((step) => !step.done);
  const waiting = agents.isPending || (business.isPending && can("business:read"));
  return (
    <Page title={t("start.title")} lead={t("start.lead")} width="narrow">
      {error != null && <Problem error={error} retry={() => void agents.refetch()} />}
      {waiting ? (
        <Skeleton rows={5} className="h-20" />
      ) : (
        <>
          <div className="mb-6 flex items-center gap-3">
            <span className="h-1.5 flex-1 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
              <span
                className="block h-full rounded-full bg-accent transition-[width]"
                style={{ width: `${(done / steps.length) * 100}%` }}
              />
            </span>
            <span className="text-sm text-soft tabular-nums">{t("start.progress", { done, count: steps.length })}</span>
          </div>
          <ol className="flex flex-col gap-3">
            {steps.map((step, index) => (
              <Step key={step.title} {...step} number={index + 1} open={index === next} />
            ))}
          </ol>
        </>
      )}
    </Page>
  );
}

interface StepProps {
  title: string;
  text: string;
  done: boolean;
  children: ReactNode;
}

function Step({ title, text, done, number, open, children }: StepProps & { number: number; open: boolean }) {
  return (
    <li>
      <details open={open} className="group rounded-2xl border border-line bg-card">
        <summary className="flex list-none items-center gap-3.5 rounded-2xl p-4">
          <span
            className={`grid size-7 shrink-0 place-items-center rounded-full text-sm font-semibold ${done ? "bg-accent text-on-accent" : "bg-sunken text-soft"}`}
          >
            {done ? <CheckIcon className="size-4" /> : number}
          </span>
          <span className="min-w-0 flex-1">
            <span className="block font-medium">{title}</span>
            <span className="block text-sm leading-snug text-soft group-open:hidden">{text}</span>
          </span>
          {done && <span className="text-sm text-good">{t("start.done")}</span>}
        </summary>
        <div className="px-4 pb-5 pl-14.5">
          <p className="mb-4 max-w-prose text-sm leading-relaxed text-soft">{text}</p>
          {children}
        </div>
      </details>
    </li>
  );
}

const WEEK = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;
const HOURS: Record<string, { days: readonly (typeof WEEK)[number][]; from: string; to: string }> = {
  office: { days: WEEK.slice(0, 5), from: "09:00", to: "17:00" },
  shop: { days: WEEK.slice(0, 6), from: "09:00", to: "18:00" },
  always: { days: WEEK, from: "00:00", to: "24:00" },
};

interface BusinessFields {
  name: string;
  zone: string;
  hours: string;
}

const businessFields = ({ name, time_zone, hours }: Business): BusinessFields => ({
  name,
  zone: time_zone,
  hours: hours == null ? "office" : "keep",
});

async function sendBusiness({ name, zone, hours }: BusinessFields, { version }: Business) {
  const week = HOURS[hours];
  const body = { name, time_zone: zone, ...(week === undefined ? {} : { hours: { week: [week] } }) };
  return (await api.PATCH("/api/v1/business", { params: { header: ifMatch(version) }, body })).data;
}

function BusinessForm() {
  const { data: business, refetch } = $api.useQuery("get", "/api/v1/business", {});
  const edit = useDraft(business, {
    formOf: businessFields,
    send: sendBusiness,
    refetch,
    saved: t("start.business_saved"),
  });
  if (business === undefined || edit === null) return null;
  const { name, zone, hours } = edit.form;
  const set = (change: Partial<BusinessFields>) => edit.set({ ...edit.form, ...change });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void edit.save();
  };
  const zones = [
    ...new Set([
      business.time_zone,
      Intl.DateTimeFormat().resolvedOptions().timeZone,
      ...Intl.supportedValuesOf("timeZone"),
    ]),
  ];
  return (
    <form onSubmit={submit} className="flex max-w-md flex-col gap-4">
      <TextField
        label={t("start.name")}
        value={name}
        onChange={(event) => set({ name: event.target.value })}
        required
      />
      <Select
        label={t("start.time_zone")}
        value={zone}
        onChange={(event) => set({ zone: event.target.value })}
        options={zones.map((value) => ({ value, label: value.replaceAll("_", " ") }))}
      />
      <Select
        label={t("start.hours")}
        value={hours}
        onChange={(event) => set({ hours: event.target.value })}
        options={[
          ...(business.hours == null ? [] : [{ value: "keep", label: t("start.hours_keep") }]),
          { value: "office", label: t("start.hours_office") },
          { value: "shop", label: t("start.hours_shop") },
          { value: "always", label: t("start.hours_always") },
        ]}
      />
      <Button type="submit" tone="primary" busy={edit.busy} className="self-start">
        {t("shell.save")}
      </Button>
    </form>
  );
}

/** Files are taken in right here; what becomes of them is seen here, too. */
function DocumentsStep({ titles }: { titles: string[] }) {
  const can = useCan();
  const [writing, setWriting] = useState(false);
  const jobs = useJobs();
  const { work, dismiss } = useWork(jobs.data?.items.filter(({ kind }) => kind !== "training"));
  return (
    <>
      <Work work={work} dismiss={dismiss} />
      {titles.length > 0 && (
        <p className="mb-4 text-sm">
          {t("start.documents_there", { titles: titles.slice(0, NAMED_MAX).join(", "), count: titles.length })}
        </p>
      )}
      <div className="flex flex-wrap items-center gap-2">
        {can("knowledge:write") && (
          <>
            <FilePicker>
              {(open) => (
                <Button
                  tone={titles.length === 0 ? "primary" : "secondary"}
                  icon={<UploadIcon className="size-4" />}
                  onClick={open}
                >
                  {t("start.documents_go")}
                </Button>
              )}
            </FilePicker>
            <Button icon={<QuestionIcon className="size-4" />} onClick={() => setWriting(true)}>
              {t("knowledge.add_pairs")}
            </Button>
          </>
        )}
        <LinkButton to="/knowledge" tone="ghost" icon={<BookIcon className="size-4" />}>
          {t("start.documents_all")}
        </LinkButton>
      </div>
      {writing && <PairsDialog onClose={() => setWriting(false)} />}
    </>
  );
}

function NumberStep({
  numbers,
  agents,
  changed,
}: {
  numbers: string[];
  agents: Schemas["AgentView"][];
  changed: () => void;
}) {
  const can = useCan();
  const [adding, setAdding] = useState(false);
  return (
    <>
      {numbers.length > 0 && <p className="mb-4 text-sm tabular-nums">{numbers.slice(0, NAMED_MAX).join(", ")}</p>}
      <div className="flex flex-wrap items-center gap-2">
        {can("numbers:manage") && (
          <Button
            icon={<PhoneIcon className="size-4" />}
            disabled={agents.length === 0}
            onClick={() => setAdding(true)}
          >
            {t("start.number_go")}
          </Button>
        )}
        <LinkButton to="/settings/$section" params={{ section: "numbers" }} tone="ghost">
          {t("settings.numbers")}
        </LinkButton>
      </div>
      {agents.length === 0 && <p className="mt-3 text-sm text-soft">{t("start.number_needs_agent")}</p>}
      {adding && (
        <NumberDialog
          known={null}
          agents={agents.map(({ id, name }) => ({ value: id, label: name }))}
          onClose={() => setAdding(false)}
          changed={changed}
        />
      )}
    </>
  );
}

function AgentStep({ agents, taken, business }: { agents: Schemas["AgentView"][]; taken: string[]; business: string }) {
  const [more, setMore] = useState(false);
  if (agents.length === 0 || more) {
    return <AgentForm business={business} taken={taken} onDone={() => setMore(false)} />;
  }
  return (
    <div className="flex flex-wrap items-center gap-2">
      {agents.slice(0, 5).map(({ slug, name }) => (
        <Link
          key={slug}
          to="/agents/$agent"
          params={{ agent: slug }}
          className="rounded-lg text-sm font-medium text-accent-deep underline underline-offset-4"
        >
          {t("start.agent_open", { name })}
        </Link>
      ))}
      <Button size="sm" tone="ghost" onClick={() => setMore(true)}>
        {t("start.another_agent")}
      </Button>
    </div>
  );
}

/** Create and publish in one step, so that it can be talked to. */
function AgentForm({ business, taken, onDone }: { business: string; taken: string[]; onDone: () => void }) {
  const client = useQueryClient();
  const can = useCan();
  const [name, setName] = useState("");
  const [persona, setPersona] = useState("");
  const [greeting, setGreeting] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const slug = freeSlug(name, "agent", taken);
      const body: Schemas["NewAgent"] = {
        name,
        slug,
        language: currentLanguage(),
        ...(business === "" ? {} : { business_name: business }),
        ...(persona === "" ? {} : { persona }),
        ...(greeting === "" ? {} : { lines: { greeting } }),
      };
      await api.POST("/api/v1/agents", { body });
      if (can("agents:publish"))
        await api.POST("/api/v1/agents/{agent}/publish", { params: { path: { agent: slug } } });
      await client.invalidateQueries({ queryKey: ["get", "/api/v1/agents"] });
      toast(t("start.agent_created", { name }));
      onDone();
    } catch (error) {
      toastProblem(error);
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void submit(event)} className="flex max-w-md flex-col gap-4">
      <TextField
        label={t("start.agent_name")}
        value={name}
        onChange={(event) => setName(event.target.value)}
        maxLength={60}
        required
      />
      <TextArea
        label={t("start.persona")}
        hint={t("start.persona_hint")}
        value={persona}
        onChange={(event) => setPersona(event.target.value)}
        rows={3}
      />
      <TextField
        label={t("start.greeting")}
        hint={t("start.greeting_hint")}
        value={greeting}
        onChange={(event) => setGreeting(event.target.value)}
      />
      <Button type="submit" tone="primary" busy={busy} className="self-start">
        {t("start.create_agent")}
      </Button>
    </form>
  );
}
