import { t } from "../../i18n";
import { Empty, Page } from "../../ui/kit/page";

export default function SettingsPage() {
  return (
    <Page title={t("settings.title")} lead={t("settings.lead")}>
      <Empty title={t("settings.empty_title")}>{t("settings.empty_text")}</Empty>
    </Page>
  );
}
