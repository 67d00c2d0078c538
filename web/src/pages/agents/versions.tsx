import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t, wordsOf } from "../../i18n";
import { shortDate } from "../../ui/format";
import { Button } from "../../ui/kit/button";
import { Confirm, Dialog } from "../../ui/kit/dialog";
import { Badge, Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast, toastProblem } from "../../ui/kit/toast";
import { whoWords } from "../people";
import type { AgentDetail } from "./draft";
import { refreshAgents } from "./life";
import { type Difference, differences, shown } from "./merge";
import { SplitCard } from "./split";

type Version = components["schemas"]["VersionView"];

/** What callers got when, what changed between, and the way back. */
export function Versions({ agent, changed }: { agent: AgentDetail; changed: () => Promise<void> }) {
  const can = useCan();
  const [compared, setCompared] = useState<number | null>(null);
  const [back, setBack] = useState<number | null>(null);
  const versions = $api.useQuery("get", "/api/v1/agents/{agent}/versions", {
    params: { path: { agent: agent.slug }, query: { limit: 100 } },
  });
  const rollback = $api.useMutation("post", "/api/v1/agents/{agent}/rollback");
  if (versions.isPending) return <Skeleton />;
  if (versions.error !== null) return <Problem error={versions.error} retry={() => void versions.refetch()} />;
  const items: Version[] = versions.data.items;
  if (items.length === 0) return <Empty title={t("agents.no_versions")}>{t("agents.no_versions_text")}</Empty>;
  const goBack = () => {
    if (back === null) return;
    rollback.mutate(
      { params: { path: { agent: agent.slug } }, body: { version: back } },
      {
        onSuccess: async (now) => {
          setBack(null);
          await Promise.all([changed(), versions.refetch(), refreshAgents()]);
          toast(t("agents.published", { version: now.version }));
        },
        onError: toastProblem,
      },
    );
  };
  return (
    <>
      <SplitCard agent={agent} versions={items.map(({ version }) => version)} />
      <ol className="flex flex-col gap-2" aria-label={t("agents.tab_versions")}>
        {items.map((one) => (
          <li
            key={one.version}
            data-version={one.version}
            className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-2xl border border-line bg-card px-4 py-3"
          >
            <span className="flex min-w-0 flex-1 basis-56 flex-col">
              <span className="flex items-center gap-2 font-medium">
                {t("agents.version", { version: one.version })}
                {one.version === agent.version && <Badge tone="good">{t("agents.now")}</Badge>}
              </span>
              {one.note && <span className="text-sm wrap-anywhere">{one.note}</span>}
              <span className="text-xs text-soft">
                {one.published_at_ms > 0 && shortDate(one.published_at_ms)}
                {one.published_by && ` · ${whoWords(one.published_by)}`}
              </span>
            </span>
            <Button size="sm" onClick={() => setCompared(one.version)}>
              {t("agents.compare")}
            </Button>
            {can("agents:publish") && one.version !== agent.version && (
              <Button size="sm" onClick={() => setBack(one.version)}>
                {t("agents.rollback")}
              </Button>
            )}
          </li>
        ))}
      </ol>
      {compared !== null && (
        <Comparison agent={agent} version={compared} versions={items} onClose={() => setCompared(null)} />
      )}
      <Confirm
        open={back !== null}
        title={t("agents.rollback_title", { version: back ?? 0 })}
        action={t("agents.rollback")}
        busy={rollback.isPending}
        onConfirm={goBack}
        onClose={() => setBack(null)}
      >
        {t("agents.rollback_text")}
      </Confirm>
    </>
  );
}

const DRAFT = "draft";

function Comparison({
  agent,
  version,
  versions,
  onClose,
}: {
  agent: AgentDetail;
  version: number;
  versions: Version[];
  onClose: () => void;
}) {
  const before = versions.find((one) => one.version < version)?.version;
  const [other, setOther] = useState(agent.version === version && !agent.changed && before ? String(before) : DRAFT);
  const { data, error } = useQuery({
    queryKey: ["agent differences", agent.slug, agent.revision, version, other],
    queryFn: async () => {
      const config = async (one: number) => {
        const path = { agent: agent.slug, version: one };
        const { data } = await api.GET("/api/v1/agents/{agent}/versions/{version}", { params: { path } });
        return data?.config;
      };
      const [from, to] = await Promise.all([config(version), other === DRAFT ? agent.draft : config(Number(other))]);
      // Older versions stand on the left, whichever was chosen first.
      return other !== DRAFT && Number(other) < version ? differences(to, from) : differences(from, to);
    },
  });
  return (
    <Dialog open onClose={onClose} wide title={t("agents.compare_title", { version })}>
      <label className="mb-4 flex items-center gap-2 text-sm">
        {t("agents.compare_with")}
        <select
          value={other}
          onChange={(event) => setOther(event.target.value)}
          className="h-9 rounded-lg border border-field bg-card pr-8 pl-3"
        >
          <option value={DRAFT}>{t("agents.draft")}</option>
          {versions
            .filter((one) => one.version !== version)
            .map((one) => (
              <option key={one.version} value={String(one.version)}>
                {t("agents.version", { version: one.version })}
              </option>
            ))}
        </select>
      </label>
      {error !== null && <Problem error={error} />}
      {data === undefined && error === null && <Skeleton rows={2} />}
      {data?.length === 0 && <p className="text-sm text-soft">{t("agents.no_differences")}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <ul tabIndex={0} aria-label={t("agents.compare")} className="flex max-h-[55dvh] flex-col gap-4 overflow-y-auto">
        {data?.map((one) => (
          <DifferenceView key={one.path} one={one} />
        ))}
      </ul>
    </Dialog>
  );
}

function DifferenceView({ one }: { one: Difference }) {
  const [before, after] = [shown(one.before), shown(one.after)];
  return (
    <li data-difference={one.path}>
      <p className="mb-1 text-sm font-medium">{wordsOf("agent_fields", one.path) ?? one.path}</p>
      {before !== "" && (
        <p className="rounded-t-lg bg-danger/8 px-3 py-1.5 text-sm whitespace-pre-wrap wrap-anywhere last:rounded-lg">
          <span className="sr-only">{t("agents.before")} </span>
          <del className="decoration-danger/50">{before}</del>
        </p>
      )}
      {after !== "" && (
        <p className="rounded-b-lg bg-good/10 px-3 py-1.5 text-sm whitespace-pre-wrap wrap-anywhere">
          <span className="sr-only">{t("agents.after")} </span>
          <ins className="no-underline">{after}</ins>
        </p>
      )}
    </li>
  );
}
