import { t } from "../i18n";
import { LinkButton } from "../ui/kit/button";
import { Empty } from "../ui/kit/page";

export function NotFound() {
  return (
    <div className="mx-auto max-w-2xl px-4 py-16">
      <Empty
        title={t("shell.not_found")}
        action={
          <LinkButton to="/" tone="primary">
            {t("shell.go_home")}
          </LinkButton>
        }
      >
        {t("shell.not_found_help")}
      </Empty>
    </div>
  );
}
