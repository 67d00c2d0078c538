import { t } from "../../i18n";
import { Page } from "../../ui/kit/page";

export default function StartPage() {
  return <Page title={t("start.title")}>{null}</Page>;
}
