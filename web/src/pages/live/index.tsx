import { t } from "../../i18n";
import { Page } from "../../ui/kit/page";

export default function LivePage() {
  return <Page title={t("live.title")}>{null}</Page>;
}
