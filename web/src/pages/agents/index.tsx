import { Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import { asApiError } from "../../api/problem";
import type { components } from "../../api/schema.gen";
import type { Agent } from "../../api/types";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { freeSlug } from "../../lib/slug";
import { queryClient } from "../../shell/query-client";
import { shortDate } from "../../ui/format";
import { AgentIcon, ChevronIcon, PlusIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { useFind } from "../../ui/kit/find";
import { Empty, Page, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { languageName, languageOptions } from "./languages";
import { AgentBadges } from "./status";
import { newAgent, TEMPLATES, type Template } from "./templates";

const SHOWN_MAX = 100;

export default function AgentsPage() {
  const can = useCan();
  const [creating, setCreating] = useState(false);
  const agents = $api.useQuery("get", "/api/v1/agents", { params: { query: { limit: SHOWN_MAX } } });
  const create = can("agents:write") && (
    <Button tone="primary" icon={<PlusIcon className="size-4" />} onClick={() => setCreating(true)}>
      {t("agents.create")}
    </Button>
  );
  const items = agents.data?.items;
  const [shown, find] = useFind(items, ({ name, greeting, business_name }) =>
    [name, greeting, business_name].join(" "),
  );
  return (
    <Page title={t("agents.title")} lead={t("agents.lead")} actions={create}>
      {agents.isPending && <Skeleton className="h-20" />}
      {agents.error !== null && <Problem error={agents.error} retry={() => void agents.refetch()} />}
      {items?.length === 0 && (
        <Empty icon={<AgentIcon />} title={t("agents.empty_title")} action={create || undefined}>
          {t("agents.empty_text")}
        </Empty>
      )}
      {find}
      <ul className="grid gap-3 lg:grid-cols-2">
        {shown.map((agent) => (
          <li key={agent.id}>
            <AgentCard agent={agent} />
          </li>
        ))}
      </ul>
      {creating && <CreateAgent taken={items?.map(({ slug }) => slug) ?? []} onClose={() => setCreating(false)} />}
    </Page>
  );
}

function AgentCard({ agent }: { agent: Agent }) {
  return (
    <Link
      to="/agents/$agent"
      params={{ agent: agent.slug }}
      data-agent={agent.slug}
      className="flex h-full items-start gap-3.5 rounded-2xl border border-line bg-card p-4 transition-colors hover:border-faint"
    >
      <span className="grid size-10 shrink-0 place-items-center rounded-xl bg-accent/12 text-accent-deep">
        <AgentIcon className="size-5.5" />
      </span>
      <span className="min-w-0 flex-1">
        <span className="flex flex-wrap items-center gap-2">
          <span className="font-medium">{agent.name}</span>
          <AgentBadges agent={agent} />
        </span>
        <span className="mt-1 line-clamp-2 text-sm text-soft">{agent.greeting}</span>
        <span className="mt-2 block text-xs text-faint">
          {languageName(agent.language)}
          {agent.updated_at_ms > 0 && ` · ${t("agents.changed_at", { time: shortDate(agent.updated_at_ms) })}`}
        </span>
      </span>
      <ChevronIcon className="mt-2.5 size-4 shrink-0 text-faint" />
    </Link>
  );
}

function CreateAgent({ taken, onClose }: { taken: string[]; onClose: () => void }) {
  const navigate = useNavigate();
  const can = useCan();
  const business = $api.useQuery("get", "/api/v1/business", {}, { enabled: can("business:read") }).data;
  const [name, setName] = useState("");
  const [template, setTemplate] = useState<Template>("reception");
  const [language, setLanguage] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const spoken = language ?? business?.language ?? "en";
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    const slug = freeSlug(name, "agent", taken);
    try {
      const body = newAgent(template, { slug, name, business: business?.name ?? name, language: spoken });
      await api.POST("/api/v1/agents", { body: body as components["schemas"]["NewAgent"] });
      if (can("agents:publish"))
        await api.POST("/api/v1/agents/{agent}/publish", { params: { path: { agent: slug } } });
      await queryClient.invalidateQueries({ queryKey: ["get", "/api/v1/agents"] });
      toast(t("agents.created", { name }));
      await navigate({ to: "/agents/$agent", params: { agent: slug } });
    } catch (error) {
      setProblem(asApiError(error));
      setBusy(false);
    }
  };
  return (
    <Dialog open onClose={onClose} title={t("agents.create")} description={t("agents.create_lead")}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        {problem !== null && <Problem error={problem} />}
        <TextField
          label={t("agent_fields.name")}
          hint={t("agents.name_hint")}
          value={name}
          onChange={(event) => setName(event.target.value)}
          maxLength={200}
          required
        />
        <Select
          label={t("agents.template")}
          value={template}
          onChange={(event) => setTemplate(event.target.value as Template)}
          options={TEMPLATES.map((value) => ({ value, label: t(`agents.template_${value}`) }))}
        />
        <Select
          label={t("agent_fields.language")}
          value={spoken}
          onChange={(event) => setLanguage(event.target.value)}
          options={languageOptions(spoken)}
        />
        <DialogActions>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" tone="primary" busy={busy}>
            {t("agents.create")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
