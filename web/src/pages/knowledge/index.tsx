import { $api } from "../../api/client";
import { t } from "../../i18n";
import { Badge, Empty, Page, Problem, Skeleton } from "../../ui/kit/page";

const page = { params: { query: { limit: 100 } } };

/** The documents of the business. They are taken in by the API and by `frontdesk knowledge add`. */
export default function KnowledgePage() {
  const documents = $api.useQuery("get", "/api/v1/knowledge/documents", page);
  return (
    <Page title={t("knowledge.title")} lead={t("knowledge.lead")}>
      {documents.isPending && <Skeleton />}
      {documents.error !== null && <Problem error={documents.error} retry={() => void documents.refetch()} />}
      {documents.data?.items.length === 0 && (
        <Empty title={t("knowledge.empty_title")}>{t("knowledge.empty_text")}</Empty>
      )}
      <ul className="flex flex-col gap-2">
        {documents.data?.items.map((document) => (
          <li
            key={document.name}
            className="flex flex-wrap items-center gap-3 rounded-2xl border border-line bg-card px-4 py-3 text-sm"
          >
            <span className="min-w-0 flex-1 basis-56">
              <span className="font-medium">{document.title}</span>{" "}
              <span className="text-soft break-all">{document.source}</span>
              {document.newest.error != null && <span className="block text-soft">{document.newest.error}</span>}
            </span>
            <Badge>{document.serving > 0 ? t("knowledge.serves") : t("knowledge.does_not_serve")}</Badge>
          </li>
        ))}
      </ul>
    </Page>
  );
}
