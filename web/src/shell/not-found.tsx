import { t } from "../i18n";
import { LinkButton } from "../ui/kit/button";
import { Empty } from "../ui/kit/page";

/** Stands alone: nobody knows yet whether there is somebody to draw the shell for. */
export function NotFound() {
  return (
    <main className="mx-auto max-w-2xl px-4 py-16">
      <h1 className="mb-6 text-xl font-semibold tracking-tight">{t("shell.not_found")}</h1>
      <Empty
        title={t("shell.not_found_title")}
        action={
          <LinkButton to="/" tone="primary">
            {t("shell.go_home")}
          </LinkButton>
        }
      >
        {t("shell.not_found_help")}
      </Empty>
    </main>
  );
}
