import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useDeferredValue, useState } from "react";
import { api } from "../../api/client";
import { t } from "../../i18n";
import { shortDate, whole } from "../../ui/format";
import { FileIcon, LanguageIcon, PencilIcon, QuestionIcon, SearchIcon, UploadIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Badge, Empty, Problem, Skeleton } from "../../ui/kit/page";
import { type Column, Table } from "../../ui/kit/table";
import { FilePicker } from "./drop-zone";
import type { Adding } from "./index";
import { type Document, kindWords, reasonWords, standing } from "./words";

const PAGE_SIZE = 50;

export function DocumentsTab({ editable, onAdd }: { editable: boolean; onAdd: (what: Adding) => void }) {
  const [typed, setTyped] = useState("");
  const q = useDeferredValue(typed.trim());
  const documents = useInfiniteQuery({
    queryKey: ["get", "/api/v1/knowledge/documents", "pages", q],
    queryFn: async ({ pageParam, signal }) => {
      const query = {
        limit: PAGE_SIZE,
        ...(q === "" ? {} : { q }),
        ...(pageParam === "" ? {} : { cursor: pageParam }),
      };
      return (await api.GET("/api/v1/knowledge/documents", { params: { query }, signal })).data;
    },
    initialPageParam: "",
    getNextPageParam: (page) => page?.next_cursor ?? undefined,
    placeholderData: (before) => before,
  });
  const rows = documents.data?.pages.flatMap((page) => page?.items ?? []) ?? [];
  if (documents.isPending) return <Skeleton />;
  if (documents.error !== null) return <Problem error={documents.error} retry={() => void documents.refetch()} />;
  if (rows.length === 0 && q === "") return editable ? <FirstDocuments onAdd={onAdd} /> : <NoDocuments />;
  return (
    <>
      <label className="relative mb-3 block max-w-sm">
        <span className="sr-only">{t("knowledge.find")}</span>
        <SearchIcon className="pointer-events-none absolute top-2.5 left-3 size-4 text-faint" />
        <input
          type="search"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          placeholder={t("knowledge.find")}
          className="h-9 w-full rounded-lg border border-field bg-card pr-3 pl-9 text-sm placeholder:text-faint"
        />
      </label>
      {rows.length === 0 ? (
        <Empty icon={<SearchIcon />} title={t("knowledge.none_match")}>
          {t("knowledge.none_match_text")}
        </Empty>
      ) : (
        <Table label={t("knowledge.tab_documents")} columns={columns()} rows={rows} rowKey={({ name }) => name} />
      )}
      {documents.hasNextPage && (
        <div className="mt-4 flex justify-center">
          <Button busy={documents.isFetchingNextPage} onClick={() => void documents.fetchNextPage()}>
            {t("kit.more")}
          </Button>
        </div>
      )}
    </>
  );
}

const columns = (): Column<Document>[] => [
  { name: "title", label: t("knowledge.document"), cell: (row) => <TitleCell document={row} /> },
  { name: "kind", label: t("knowledge.kind"), wide: true, cell: (row) => <KindCell document={row} /> },
  {
    name: "passages",
    label: t("knowledge.passages"),
    wide: true,
    end: true,
    cell: (row) => <span className="tabular-nums">{row.newest.chunks > 0 ? whole(row.newest.chunks) : "–"}</span>,
  },
  {
    name: "changed",
    label: t("knowledge.changed"),
    wide: true,
    cell: (row) => <span className="whitespace-nowrap text-soft">{shortDate(row.updated_at_ms)}</span>,
  },
  {
    name: "state",
    label: t("knowledge.state"),
    end: true,
    cell: (row) => {
      const { tone, words } = standing(row);
      return <Badge tone={tone}>{words}</Badge>;
    },
  },
];

function KindCell({ document: { newest } }: { document: Document }) {
  return <span className="whitespace-nowrap">{newest.kind == null ? "–" : kindWords(newest.kind)}</span>;
}

function TitleCell({ document }: { document: Document }) {
  const own = document.source !== document.title && document.source !== document.name;
  return (
    <span className="flex min-w-0 items-center gap-3" data-document={document.name}>
      <span className="grid size-8 shrink-0 place-items-center rounded-lg bg-sunken text-soft">
        {document.source.startsWith("http") ? (
          <LanguageIcon className="size-4.5" />
        ) : document.newest.kind === "pairs" ? (
          <QuestionIcon className="size-4.5" />
        ) : (
          <FileIcon className="size-4.5" />
        )}
      </span>
      <span className="min-w-0">
        <Link
          to="/knowledge/$document"
          params={{ document: document.name }}
          className="font-medium wrap-anywhere hover:underline"
        >
          {document.title}
        </Link>
        {own && <span className="block text-xs text-soft wrap-anywhere">{document.source}</span>}
        {document.newest.status === "failed" && (
          <span className="mt-0.5 block text-xs leading-snug text-soft">
            {reasonWords(document.newest.error_code, document.newest.error)}
          </span>
        )}
      </span>
    </span>
  );
}

function NoDocuments() {
  return (
    <Empty icon={<FileIcon />} title={t("knowledge.empty_title")}>
      {t("knowledge.empty_read_only")}
    </Empty>
  );
}

/** Nothing is there yet: what helps most, and every way to give it. */
function FirstDocuments({ onAdd }: { onAdd: (what: Adding) => void }) {
  return (
    <div className="grid gap-3 sm:grid-cols-3" data-first-documents>
      <FilePicker>
        {(open) => (
          <button
            type="button"
            onClick={open}
            className="grid justify-items-center rounded-2xl border-2 border-dashed border-line px-6 py-12 text-center transition-colors hover:border-accent sm:col-span-3"
          >
            <span className="mb-4 grid size-12 place-items-center rounded-xl bg-accent/12 text-accent-deep">
              <UploadIcon className="size-6" />
            </span>
            <span className="text-[0.9375rem] font-semibold">{t("knowledge.first_title")}</span>
            <span className="mt-1.5 max-w-md text-sm leading-relaxed text-soft">{t("knowledge.first_text")}</span>
            <span className="mt-3 text-xs text-faint">{t("knowledge.kinds_read")}</span>
          </button>
        )}
      </FilePicker>
      <Way
        icon={<QuestionIcon className="size-5" />}
        title={t("knowledge.add_pairs")}
        text={t("knowledge.way_pairs")}
        onClick={() => onAdd("pairs")}
      />
      <Way
        icon={<LanguageIcon className="size-5" />}
        title={t("knowledge.add_site")}
        text={t("knowledge.way_site")}
        onClick={() => onAdd("site")}
      />
      <Way
        icon={<PencilIcon className="size-5" />}
        title={t("knowledge.add_text")}
        text={t("knowledge.way_text")}
        onClick={() => onAdd("text")}
      />
    </div>
  );
}

function Way({ icon, title, text, onClick }: { icon: ReactNode; title: string; text: string; onClick: () => void }) {
  return (
    <button
      type="button"
      onClick={onClick}
      className="flex items-start gap-3 rounded-2xl border border-line bg-card p-4 text-left transition-colors hover:border-faint"
    >
      <span className="grid size-9 shrink-0 place-items-center rounded-lg bg-sunken text-soft">{icon}</span>
      <span>
        <span className="block text-sm font-medium">{title}</span>
        <span className="mt-0.5 block text-[0.8125rem] leading-snug text-soft">{text}</span>
      </span>
    </button>
  );
}
