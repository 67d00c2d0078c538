import { Toast } from "@base-ui/react/toast";
import { asApiError } from "../../api/problem";
import { t } from "../../i18n";
import { CheckIcon, CloseIcon, WarnIcon } from "../icons";

interface Data {
  tone: "done" | "problem";
  requestId: string | null;
}

const manager = Toast.createToastManager<Data>();
const SHOWN_MS = 5_000;
/** Errors are read, and their request id copied. */
const PROBLEM_MS = 15_000;

/** Something is done; said once, in passing. */
export function toast(title: string, description?: string): void {
  manager.add({ title, description, timeout: SHOWN_MS, data: { tone: "done", requestId: null } });
}

/** Something did not work that somebody asked for. */
export function toastProblem(error: unknown): void {
  const problem = asApiError(error);
  manager.add({
    title: problem.title,
    description: problem.message === problem.title ? undefined : problem.message,
    timeout: PROBLEM_MS,
    priority: "high",
    data: { tone: "problem", requestId: problem.requestId },
  });
}

export function Toaster() {
  return (
    <Toast.Provider toastManager={manager} limit={4}>
      <Toast.Portal>
        <Toast.Viewport
          aria-label={t("kit.notifications")}
          className="fixed right-4 bottom-4 z-[60] flex w-[min(24rem,calc(100vw-2rem))] flex-col gap-2 outline-none max-md:bottom-20"
        >
          <Toasts />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function Toasts() {
  const { toasts } = Toast.useToastManager<Data>();
  return toasts.map((one) => {
    const problem = one.data?.tone === "problem";
    return (
      <Toast.Root
        key={one.id}
        toast={one}
        className="rounded-xl border border-line bg-card p-3.5 shadow-dialog transition-opacity duration-150 data-ending-style:opacity-0 data-limited:hidden data-starting-style:opacity-0"
      >
        <Toast.Content className="flex items-start gap-3">
          {problem ? (
            <WarnIcon className="mt-0.5 size-4.5 shrink-0 text-danger" />
          ) : (
            <CheckIcon className="mt-0.5 size-4.5 shrink-0 text-accent-deep" />
          )}
          <div className="min-w-0 flex-1 text-sm leading-snug wrap-anywhere">
            <Toast.Title className="font-medium" render={<p />} />
            <Toast.Description className="mt-0.5 text-soft" />
            {one.data?.requestId != null && (
              <p className="mt-1.5 font-mono text-xs text-faint">{t("problems.request", { id: one.data.requestId })}</p>
            )}
          </div>
          <Toast.Close
            aria-label={t("shell.close")}
            // The toolkit hides it from readers until the list of toasts has the focus, though Tab comes here before.
            aria-hidden={false}
            className="grid size-6 shrink-0 place-items-center rounded-md text-soft hover:bg-sunken hover:text-ink"
          >
            <CloseIcon className="size-3.5" />
          </Toast.Close>
        </Toast.Content>
      </Toast.Root>
    );
  });
}
