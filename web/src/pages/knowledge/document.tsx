import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t, wordsOf } from "../../i18n";
import { bytes } from "../../lib/bytes";
import { shortDate, whole } from "../../ui/format";
import { FileIcon, TrashIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button, LinkButton } from "../../ui/kit/button";
import { Confirm } from "../../ui/kit/dialog";
import { Badge, Card, Empty, Page, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { refreshKnowledge } from "./jobs";
import { type Document, kindWords, reasonWords, standing } from "./words";

type Chunk = components["schemas"]["KnowledgeChunk"];
const CHUNKS_PAGE = 100;

/** A document as agents see it: its passages under their headings, and what it was before. */
export default function DocumentPage() {
  const { document: name } = useParams({ from: "/app/knowledge/$document" });
  const can = useCan();
  const path = { params: { path: { document: name } } };
  const document = $api.useQuery("get", "/api/v1/knowledge/documents/{document}", path);
  const [removing, setRemoving] = useState(false);
  if (document.data === undefined) {
    return (
      <Page title={name} lead={<Back />}>
        {document.error === null ? (
          <Skeleton />
        ) : (
          <Problem error={document.error} retry={() => void document.refetch()} />
        )}
      </Page>
    );
  }
  const { tone, words } = standing(document.data);
  return (
    <Page
      title={document.data.title}
      lead={
        <span className="flex flex-wrap items-center gap-2">
          <Back />
          <Badge tone={tone}>{words}</Badge>
        </span>
      }
      actions={
        can("knowledge:write") && (
          <Button icon={<TrashIcon className="size-4" />} onClick={() => setRemoving(true)}>
            {t("kit.delete")}
          </Button>
        )
      }
    >
      {document.data.newest.status === "failed" && (
        <p role="alert" className="mb-4 rounded-2xl border border-warn/30 bg-warn/8 p-4 text-sm leading-relaxed">
          {reasonWords(document.data.newest.error_code, document.data.newest.error)}
        </p>
      )}
      <div className="grid items-start gap-5 lg:grid-cols-[minmax(0,1fr)_18rem]">
        <Passages name={name} />
        <div className="flex flex-col gap-5 max-lg:order-first">
          <Facts document={document.data} />
          <Versions document={document.data} />
        </div>
      </div>
      {removing && <Remove document={document.data} onClose={() => setRemoving(false)} />}
    </Page>
  );
}

function Back() {
  return (
    <LinkButton to="/knowledge" tone="ghost" size="sm" className="-ml-2.5">
      ← {t("knowledge.title")}
    </LinkButton>
  );
}

function Facts({ document }: { document: Document }) {
  const { newest } = document;
  const rows: [string, string][] = [
    [t("knowledge.source"), document.source],
    [t("knowledge.kind"), kindWords(newest.kind)],
    [t("knowledge.size"), bytes(newest.bytes)],
    ...(newest.pages > 0 ? [[t("knowledge.pages_label"), whole(newest.pages)] as [string, string]] : []),
    [t("knowledge.passages"), whole(newest.chunks)],
    [t("knowledge.added"), shortDate(document.created_at_ms)],
    ...(newest.space == null ? [] : [[t("knowledge.model"), newest.space] as [string, string]]),
  ];
  return (
    <Card title={t("knowledge.facts")}>
      <dl className="flex flex-col gap-2 text-sm">
        {rows.map(([label, value]) => (
          <div key={label} className="grid grid-cols-[6.5rem_minmax(0,1fr)] gap-3">
            <dt className="text-soft">{label}</dt>
            <dd className="wrap-anywhere">{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function Versions({ document }: { document: Document }) {
  const versions = $api.useQuery("get", "/api/v1/knowledge/documents/{document}/versions", {
    params: { path: { document: document.name } },
  });
  return (
    <Card title={t("knowledge.versions")}>
      {versions.isPending && <Skeleton rows={1} />}
      {versions.error !== null && <Problem error={versions.error} />}
      <ol className="flex flex-col gap-3 text-sm">
        {versions.data?.items.map((one) => (
          <li key={one.version} data-version={one.version}>
            <p className="flex flex-wrap items-center gap-2">
              <span className="font-medium">{t("agents.version", { version: one.version })}</span>
              {one.version === document.serving ? (
                <Badge tone="good">{t("knowledge.serves")}</Badge>
              ) : (
                <Badge tone={one.status === "failed" ? "bad" : "plain"}>
                  {wordsOf("knowledge_versions", one.status) ?? one.status}
                </Badge>
              )}
            </p>
            <p className="text-xs text-soft">
              {shortDate(one.created_at_ms)} · {bytes(one.bytes)}
            </p>
            {one.status === "failed" && (
              <p className="text-xs text-soft wrap-anywhere">{reasonWords(one.error_code, one.error)}</p>
            )}
          </li>
        ))}
      </ol>
      <p className="mt-3 text-xs leading-snug text-faint">{t("knowledge.versions_text")}</p>
    </Card>
  );
}

interface Section {
  heading: string;
  chunks: Chunk[];
}

/** Passages that follow each other under one heading belong together. */
export function sections(chunks: readonly Chunk[]): Section[] {
  const all: Section[] = [];
  for (const chunk of chunks) {
    const last = all.at(-1);
    if (last !== undefined && last.heading === chunk.heading) last.chunks.push(chunk);
    else all.push({ heading: chunk.heading, chunks: [chunk] });
  }
  return all;
}

function Passages({ name }: { name: string }) {
  const [wanted, setWanted] = useState("");
  const chunks = useInfiniteQuery({
    queryKey: ["get", "/api/v1/knowledge/documents/{document}/chunks", name],
    queryFn: async ({ pageParam, signal }) => {
      const query = { limit: CHUNKS_PAGE, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      const params = { path: { document: name }, query };
      return (await api.GET("/api/v1/knowledge/documents/{document}/chunks", { params, signal })).data;
    },
    initialPageParam: "",
    getNextPageParam: (page) => page?.next_cursor ?? undefined,
  });
  const rows = useMemo(() => chunks.data?.pages.flatMap((page) => page?.items ?? []) ?? [], [chunks.data]);
  const needle = wanted.trim().toLocaleLowerCase();
  const shown = rows.filter(({ heading, text }) => `${heading} ${text}`.toLocaleLowerCase().includes(needle));
  if (chunks.isPending) return <Skeleton rows={3} className="h-24" />;
  if (chunks.error !== null) return <Problem error={chunks.error} retry={() => void chunks.refetch()} />;
  if (rows.length === 0) {
    return (
      <Empty icon={<FileIcon />} title={t("knowledge.no_passages")}>
        {t("knowledge.no_passages_text")}
      </Empty>
    );
  }
  return (
    <div className="min-w-0">
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <input
          type="search"
          aria-label={t("knowledge.find_passage")}
          placeholder={t("knowledge.find_passage")}
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
          className="h-9 min-w-0 flex-1 basis-48 rounded-lg border border-field bg-card px-3 text-sm placeholder:text-faint"
        />
        <span className="text-sm text-soft" role="status">
          {t("knowledge.passages_shown", { count: shown.length })}
        </span>
      </div>
      <div className="flex flex-col gap-3">
        {sections(shown).map((section) => (
          <SectionView key={section.chunks[0]?.ordinal} section={section} />
        ))}
      </div>
      {chunks.hasNextPage && (
        <div className="mt-4 flex justify-center">
          <Button busy={chunks.isFetchingNextPage} onClick={() => void chunks.fetchNextPage()}>
            {t("kit.more")}
          </Button>
        </div>
      )}
    </div>
  );
}

function SectionView({ section }: { section: Section }) {
  const parts = section.heading.split(" › ");
  return (
    <section className="rounded-2xl border border-line bg-card px-4 py-3.5" data-heading={section.heading}>
      {section.heading !== "" && (
        <h2 className="text-sm font-semibold wrap-anywhere">
          {parts.length > 1 && <span className="font-normal text-soft">{parts.slice(0, -1).join(" › ")} › </span>}
          {parts.at(-1)}
        </h2>
      )}
      <ol className="mt-1.5 flex flex-col gap-2.5">
        {section.chunks.map((chunk) => (
          <li key={chunk.ordinal} className="flex gap-3 text-sm leading-relaxed">
            <span
              className="mt-0.5 w-7 shrink-0 text-right font-mono text-xs leading-relaxed text-faint tabular-nums"
              title={t("knowledge.passage", { number: chunk.ordinal + 1 })}
            >
              {chunk.ordinal + 1}
            </span>
            <span className="min-w-0 flex-1 whitespace-pre-line wrap-anywhere">
              {chunk.text}
              {chunk.page != null && (
                <span className="ml-2 text-xs text-faint">{t("knowledge.page", { page: chunk.page })}</span>
              )}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Remove({ document, onClose }: { document: Document; onClose: () => void }) {
  const navigate = useNavigate();
  const { busy, run } = useAction();
  const remove = () =>
    run(async () => {
      await api.DELETE("/api/v1/knowledge/documents/{document}", { params: { path: { document: document.name } } });
      await navigate({ to: "/knowledge" });
      refreshKnowledge(document.name);
      toast(t("knowledge.removed", { title: document.title }));
    });
  return (
    <Confirm
      open
      title={t("settings.delete_title", { name: document.title })}
      action={t("kit.delete")}
      busy={busy}
      onConfirm={() => void remove()}
      onClose={onClose}
    >
      {t("knowledge.remove_text", { versions: document.newest.version, passages: document.newest.chunks })}
    </Confirm>
  );
}
