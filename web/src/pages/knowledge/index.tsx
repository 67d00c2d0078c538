import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { LanguageIcon, PencilIcon, PlusIcon, QuestionIcon, UploadIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Menu } from "../../ui/kit/menu";
import { Page, Problem } from "../../ui/kit/page";
import { Tabs } from "../../ui/kit/tabs";
import { PairsDialog } from "./add-pairs";
import { SiteDialog } from "./add-site";
import { TextDialog } from "./add-text";
import { CallsTab } from "./calls-tab";
import { DocumentsTab } from "./documents-tab";
import { DropHint, FilePicker, useDrop } from "./drop-zone";
import { GapsTab } from "./gaps-tab";
import { GraphTab } from "./graph-tab";
import { useJobs, useWork } from "./jobs";
import { QualityTab } from "./quality-tab";
import { SitesTab } from "./sites-tab";
import { TryTab } from "./try-tab";
import { Work } from "./work";

export type Adding = "text" | "pairs" | "site";

/** What agents know: how it comes in, what is found in it, what is missing, and how good the answers are. */
export default function KnowledgePage() {
  const can = useCan();
  const editable = can("knowledge:write");
  const search = useSearch({ from: "/app/knowledge" });
  const navigate = useNavigate();
  const [adding, setAdding] = useState<Adding | null>(null);
  const jobs = useJobs();
  const { work, dismiss } = useWork(jobs.data?.items.filter(({ kind }) => kind !== "training"));
  const gaps = $api.useQuery("get", "/api/v1/knowledge/gaps", {}).data?.items.length ?? 0;
  const proposed = $api.useQuery("get", "/api/v1/knowledge/proposals", {}).data;
  const proposals = proposed?.items.length ?? 0;
  const dropping = useDrop(editable);
  const show = (tab: string) =>
    void navigate({ to: "/knowledge", search: tab === "documents" ? {} : { tab }, replace: true });
  return (
    <Page
      title={t("knowledge.title")}
      lead={t("knowledge.lead")}
      actions={editable && <AddButtons onAdd={setAdding} />}
    >
      {jobs.error !== null && <Problem error={jobs.error} retry={() => void jobs.refetch()} />}
      <Work work={work} dismiss={dismiss} />
      <Tabs
        label={t("knowledge.parts")}
        value={search.tab ?? "documents"}
        onChange={show}
        tabs={[
          {
            value: "documents",
            label: t("knowledge.tab_documents"),
            content: <DocumentsTab editable={editable} onAdd={setAdding} />,
          },
          {
            value: "sites",
            label: t("knowledge.tab_sites"),
            content: <SitesTab editable={editable} jobs={jobs.data?.items ?? []} onAdd={() => setAdding("site")} />,
          },
          { value: "try", label: t("knowledge.tab_try"), content: <TryTab editable={editable} /> },
          {
            value: "gaps",
            label: gaps > 0 ? t("knowledge.tab_gaps_count", { count: gaps }) : t("knowledge.tab_gaps"),
            content: <GapsTab editable={editable} />,
          },
          {
            value: "calls",
            label:
              proposals > 0
                ? t("knowledge.tab_calls_count", { count: proposed?.next_cursor == null ? proposals : `${proposals}+` })
                : t("knowledge.tab_calls"),
            content: <CallsTab editable={editable} />,
          },
          { value: "graph", label: t("graph.tab"), content: <GraphTab editable={editable} /> },
          {
            value: "quality",
            label: t("knowledge.tab_quality"),
            content: <QualityTab editable={editable} jobs={jobs.data?.items ?? []} />,
          },
        ]}
      />
      {dropping && <DropHint />}
      {adding === "text" && <TextDialog onClose={() => setAdding(null)} />}
      {adding === "pairs" && <PairsDialog onClose={() => setAdding(null)} />}
      {adding === "site" && <SiteDialog known={null} onClose={() => setAdding(null)} />}
    </Page>
  );
}

function AddButtons({ onAdd }: { onAdd: (what: Adding) => void }) {
  return (
    <>
      <Menu
        trigger={<Button icon={<PlusIcon className="size-4" />}>{t("knowledge.add")}</Button>}
        items={[
          {
            label: t("knowledge.add_text"),
            icon: <PencilIcon className="size-4 text-soft" />,
            onSelect: () => onAdd("text"),
          },
          {
            label: t("knowledge.add_pairs"),
            icon: <QuestionIcon className="size-4 text-soft" />,
            onSelect: () => onAdd("pairs"),
          },
          {
            label: t("knowledge.add_site"),
            icon: <LanguageIcon className="size-4 text-soft" />,
            onSelect: () => onAdd("site"),
          },
        ]}
      />
      <FilePicker>
        {(open) => (
          <Button tone="primary" icon={<UploadIcon className="size-4" />} onClick={open}>
            {t("knowledge.upload")}
          </Button>
        )}
      </FilePicker>
    </>
  );
}
