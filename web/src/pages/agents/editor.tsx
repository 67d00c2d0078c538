import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import { ApiError } from "../../api/problem";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { MicIcon } from "../../ui/icons";
import { Button, LinkButton } from "../../ui/kit/button";
import { Page, Problem, Skeleton } from "../../ui/kit/page";
import { Tabs } from "../../ui/kit/tabs";
import { toast, toastProblem } from "../../ui/kit/toast";
import { UnsavedGuard } from "../../ui/kit/unsaved";
import { ConductTab } from "./conduct-tab";
import type { AgentDetail, AgentDraft } from "./draft";
import { AgentMenu, Publish } from "./life";
import { applyPatch, mergePatch } from "./merge";
import { ProvidersTab } from "./providers-tab";
import { AgentBadges } from "./status";
import { TalkBeside } from "./talk-beside";
import { ToolsTab } from "./tools-tab";
import { TrainingTab } from "./training-tab";
import { TurnsTab } from "./turns-tab";
import { Versions } from "./versions";
import { WordsTab } from "./words-tab";

/** Most agents only talk: what draws flows is loaded when somebody opens one. */
const FlowTab = lazy(() => import("./flow"));

type JsonObject = Record<string, unknown>;

export default function AgentPage() {
  const { agent: slug } = useParams({ from: "/app/agents/$agent" });
  const known = useAgent(slug);
  if (known.data === undefined) {
    return (
      <Page title={t("agents.one")}>
        {known.error === null ? <Skeleton className="h-24" /> : <Problem error={known.error} retry={known.refetch} />}
      </Page>
    );
  }
  return <Editor key={slug} agent={known.data} reload={known.refetch} />;
}

function useAgent(slug: string) {
  const query = $api.useQuery("get", "/api/v1/agents/{agent}", { params: { path: { agent: slug } } });
  // The document of the API leaves the draft open.
  const data = query.data as unknown as AgentDetail | undefined;
  const refetch = async () => (await query.refetch()).data as unknown as AgentDetail | undefined;
  return { data, error: query.error, refetch };
}

/** What is edited: the draft as it was read, and the one on the page. */
interface Edited {
  base: AgentDetail;
  form: AgentDraft;
}

const json = (draft: AgentDraft) => draft as unknown as JsonObject;

/** What was changed here, on top of what the server has now. */
function rebased({ base, form }: Edited, fresh: AgentDetail): Edited {
  return { base: fresh, form: applyPatch(fresh.draft, mergePatch(json(base.draft), json(form))) };
}

function Editor({ agent, reload }: { agent: AgentDetail; reload: () => Promise<AgentDetail | undefined> }) {
  const can = useCan();
  const editable = can("agents:write");
  const search = useSearch({ from: "/app/agents/$agent" });
  const navigate = useNavigate();
  const [edited, setEdited] = useState<Edited>({ base: agent, form: agent.draft });
  const [talking, setTalking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [conflict, setConflict] = useState(false);
  const { base, form } = edited;
  const patch = mergePatch(json(base.draft), json(form));
  const dirty = Object.keys(patch).length > 0;
  // What came from elsewhere shows at once where nothing is being edited. What was read here may be newer for a moment.
  if (!dirty && agent.revision > base.revision && !busy) setEdited({ base: agent, form: agent.draft });

  const set = (change: Partial<AgentDraft>) => setEdited({ base, form: { ...form, ...change } });
  const keep = async () => {
    const fresh = await reload();
    if (fresh === undefined) return;
    setEdited((now) => rebased(now, fresh));
    setConflict(false);
  };
  const drop = async () => {
    const fresh = await reload();
    if (fresh === undefined) return;
    setEdited({ base: fresh, form: fresh.draft });
    setConflict(false);
  };
  const save = async () => {
    setBusy(true);
    try {
      await api.PATCH("/api/v1/agents/{agent}", {
        params: { path: { agent: base.slug }, header: ifMatch(base.revision) },
        body: patch as components["schemas"]["AgentPatch"],
      });
      const fresh = await reload();
      // What was changed while it was being saved stays, on top of what is saved now.
      if (fresh !== undefined) setEdited((now) => rebased({ base: { ...base, draft: form }, form: now.form }, fresh));
      setConflict(false);
      toast(t("agents.saved"));
    } catch (error) {
      if (error instanceof ApiError && error.code === "stale") setConflict(true);
      else toastProblem(error);
    }
    setBusy(false);
  };
  const fields = { draft: form, set, editable };
  return (
    <Page
      title={form.name === "" ? base.slug : form.name}
      width={talking || search.tab === "flow" ? "full" : "wide"}
      lead={<AgentLead agent={base} />}
      actions={
        <>
          <Button
            icon={<MicIcon className="size-4" />}
            aria-pressed={talking}
            onClick={() => setTalking(!talking)}
            disabled={!can("calls:place")}
          >
            {t("shell.talk")}
          </Button>
          <Publish agent={base} dirty={dirty} changed={keep} />
          <AgentMenu agent={base} changed={keep} />
        </>
      }
    >
      <div className={talking ? "grid items-start gap-6 xl:grid-cols-[minmax(0,1fr)_26rem]" : ""}>
        {talking && (
          <div className="xl:order-last xl:sticky xl:top-0">
            <TalkBeside agent={base} dirty={dirty} />
          </div>
        )}
        <div className="min-w-0">
          {conflict && <Conflict keep={() => void keep()} drop={() => void drop()} />}
          <Tabs
            label={t("agents.parts")}
            value={search.tab ?? "words"}
            onChange={(tab) =>
              void navigate({
                to: "/agents/$agent",
                params: { agent: base.slug },
                search: tab === "words" ? {} : { tab },
                replace: true,
              })
            }
            tabs={[
              { value: "words", label: t("agents.tab_words"), content: <WordsTab {...fields} /> },
              { value: "providers", label: t("agents.tab_providers"), content: <ProvidersTab {...fields} /> },
              {
                value: "tools",
                label: t("agents.tab_tools"),
                content: <ToolsTab agent={base} editable={editable} changed={keep} />,
              },
              {
                value: "flow",
                label: t("agents.tab_flow"),
                content: (
                  <Suspense fallback={<Skeleton className="h-24" />}>
                    <FlowTab agent={base.slug} {...fields} />
                  </Suspense>
                ),
              },
              { value: "turns", label: t("agents.tab_turns"), content: <TurnsTab {...fields} /> },
              { value: "conduct", label: t("conduct.tab"), content: <ConductTab {...fields} /> },
              {
                value: "training",
                label: t("training.tab"),
                keep: true,
                content: <TrainingTab agent={base.slug} editable={editable} />,
              },
              { value: "versions", label: t("agents.tab_versions"), content: <Versions agent={base} changed={drop} /> },
            ]}
          />
          {dirty && (
            <SaveBar
              busy={busy}
              save={() => void save()}
              discard={() => setEdited({ base, form: base.draft })}
              blocked={form.name.trim() === "" || form.business_name.trim() === ""}
            />
          )}
        </div>
      </div>
      <UnsavedGuard dirty={dirty} />
    </Page>
  );
}

function AgentLead({ agent }: { agent: AgentDetail }) {
  return (
    <span className="flex flex-wrap items-center gap-2">
      <LinkButton to="/agents" tone="ghost" size="sm" className="-ml-2.5">
        ← {t("agents.title")}
      </LinkButton>
      <code className="font-mono text-xs text-faint">{agent.slug}</code>
      <AgentBadges agent={agent} />
    </span>
  );
}

function Conflict({ keep, drop }: { keep: () => void; drop: () => void }) {
  return (
    <div role="alert" className="mb-5 rounded-2xl border border-warn/30 bg-warn/8 p-4 text-sm leading-relaxed">
      <p className="font-medium">{t("agents.conflict_title")}</p>
      <p className="mt-1 text-soft">{t("agents.conflict_text")}</p>
      <div className="mt-3 flex flex-wrap gap-2">
        <Button size="sm" tone="primary" onClick={keep}>
          {t("agents.conflict_keep")}
        </Button>
        <Button size="sm" onClick={drop}>
          {t("agents.conflict_drop")}
        </Button>
      </div>
    </div>
  );
}

function SaveBar({
  busy,
  blocked,
  save,
  discard,
}: {
  busy: boolean;
  blocked: boolean;
  save: () => void;
  discard: () => void;
}) {
  return (
    <section
      aria-label={t("kit.unsaved")}
      data-foot=""
      className="sticky bottom-3 z-10 mt-6 flex animate-appear flex-wrap items-center gap-3 rounded-2xl border border-line bg-card py-2.5 pr-2.5 pl-4 shadow-dialog"
    >
      <span className="min-w-32 flex-1 text-sm font-medium" role="status">
        {t("kit.unsaved")}
      </span>
      <Button onClick={discard} disabled={busy}>
        {t("kit.discard")}
      </Button>
      <Button tone="primary" busy={busy} disabled={blocked} onClick={save}>
        {t("agents.save_draft")}
      </Button>
    </section>
  );
}
