import { t } from "../../i18n";
import { Empty, Page } from "../../ui/kit/page";

export default function KnowledgePage() {
  return (
    <Page title={t("knowledge.title")} lead={t("knowledge.lead")}>
      <Empty title={t("knowledge.empty_title")}>{t("knowledge.empty_text")}</Empty>
    </Page>
  );
}
