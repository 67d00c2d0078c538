import { t } from "../../i18n";
import { Empty, Page } from "../../ui/kit/page";

export default function AgentsPage() {
  return (
    <Page title={t("agents.title")} lead={t("agents.lead")}>
      <Empty title={t("agents.empty_title")}>{t("agents.empty_text")}</Empty>
    </Page>
  );
}

export function AgentPage() {
  return <AgentsPage />;
}
