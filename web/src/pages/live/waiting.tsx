import { useCallback } from "react";
import { $api } from "../../api/client";
import { ApiError } from "../../api/problem";
import { useCan } from "../../auth/me";
import { callerName } from "../../call/names";
import { plainWords } from "../../call/words";
import { t } from "../../i18n";
import type { LiveCall } from "../../live/picture";
import { useBusinessEvents, useLiveCall, useLivePick } from "../../live/use-live";
import { supervision } from "../../supervise/session";
import { useAnySupervision } from "../../supervise/use-supervision";
import { isMine } from "../../supervise/view";
import { Elapsed } from "../../ui/elapsed";
import { TakeOverIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { toast, toastProblem } from "../../ui/kit/toast";

/** The callers who wait for a person, who waits longest first, and the way to take one. */
export function Waiting({ open }: { open: (call: string) => void }) {
  const ids = useLivePick(waiting);
  const allowed = useCan()("calls:control");
  const queue = $api.useQuery("get", "/api/v1/queue", {}, { enabled: allowed && ids.length > 0 });
  useBusinessEvents(
    useCallback(
      ({ kind }) => {
        if (allowed && (kind === "call.queued" || kind === "call.left_queue")) void queue.refetch();
      },
      [allowed, queue.refetch],
    ),
  );
  const view = useAnySupervision();
  const busy = view.call !== null && isMine(view);
  const join = (call: string) => {
    open(call);
    supervision.open(call);
    void supervision.speak();
  };
  const take = $api.useMutation("post", "/api/v1/calls/{id}/take-over", { onError: toastProblem });
  const next = $api.useMutation("post", "/api/v1/queue/next", {
    onSuccess: ({ call }) => join(call),
    onError: (error) => {
      if (error instanceof ApiError && error.status === 404) toast(t("supervise.nobody_waits"));
      else toastProblem(error);
    },
  });
  if (ids.length === 0) return null;
  const briefs = new Map(queue.data?.callers.map(({ call, brief }) => [call, brief ?? null]));
  return (
    <section aria-labelledby="waiting-title" className="mb-5 rounded-2xl border border-person/30 bg-person/8 p-4">
      <div className="flex flex-wrap items-center gap-3">
        <h2 id="waiting-title" className="flex-1 text-sm font-semibold">
          {t("supervise.waiting_count", { count: ids.length })}
        </h2>
        {allowed && (
          <Button
            tone="primary"
            size="sm"
            icon={<TakeOverIcon className="size-4" />}
            busy={next.isPending}
            disabled={busy}
            onClick={() => next.mutate({})}
          >
            {t("supervise.take_next")}
          </Button>
        )}
      </div>
      <ol className="mt-3 flex flex-col gap-2">
        {ids.map((id) => (
          <Caller
            key={id}
            id={id}
            brief={briefs.get(id) ?? null}
            open={open}
            take={
              allowed && !busy
                ? () => {
                    take.mutate({ params: { path: { id } } });
                    join(id);
                  }
                : null
            }
          />
        ))}
      </ol>
    </section>
  );
}

interface CallerProps {
  id: string;
  brief: string | null;
  open: (call: string) => void;
  take: (() => void) | null;
}

function Caller({ id, brief, open, take }: CallerProps) {
  const call = useLiveCall(id);
  if (call?.waiting == null) return null;
  return (
    <li data-waiting={id} className="flex items-center gap-3 rounded-xl border border-line bg-card px-3 py-2 text-sm">
      <div className="min-w-0 flex-1">
        <button type="button" onClick={() => open(id)} className="max-w-full truncate rounded text-left font-medium">
          {callerName(call)}
        </button>
        <p className="truncate text-[0.8125rem] text-soft">{brief ?? plainWords(call.waiting.reason)}</p>
      </div>
      <Elapsed since_ms={call.waiting.since_ms} className="font-mono text-xs text-soft tabular-nums" />
      {take !== null && (
        <Button size="sm" onClick={take}>
          {t("supervise.take")}
        </Button>
      )}
    </li>
  );
}

/** Only ids, so that callers draw by themselves. */
function waiting(calls: ReadonlyMap<string, LiveCall>): string[] {
  const since = (call: LiveCall) => call.waiting?.since_ms ?? 0;
  return [...calls.values()]
    .filter((call) => call.waiting != null)
    .sort((a, b) => since(a) - since(b))
    .map(({ id }) => id);
}
