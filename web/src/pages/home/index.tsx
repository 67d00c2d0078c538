import { t } from "../../i18n";
import { Page } from "../../ui/kit/page";

export default function HomePage() {
  return <Page title={t("home.title")}>{null}</Page>;
}
