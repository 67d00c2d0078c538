import { useBlocker } from "@tanstack/react-router";
import { t } from "../../i18n";
import { Confirm } from "./dialog";

/** Asks before a page with unsaved changes is left: for another page by a dialog, for another site by the browser. */
export function UnsavedGuard({ dirty }: { dirty: boolean }) {
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => dirty && current.pathname !== next.pathname,
    enableBeforeUnload: () => dirty,
    withResolver: true,
  });
  return (
    <Confirm
      open={blocker.status === "blocked"}
      title={t("kit.unsaved_title")}
      action={t("kit.unsaved_leave")}
      onConfirm={() => blocker.proceed?.()}
      onClose={() => blocker.reset?.()}
    >
      {t("kit.unsaved_text")}
    </Confirm>
  );
}
