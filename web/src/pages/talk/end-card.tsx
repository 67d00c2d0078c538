import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api } from "../../api/client";
import type { CallView } from "../../call/reducer";
import { session } from "../../call/session";
import { endedWords } from "../../call/words";
import { t } from "../../i18n";
import { clock } from "../../ui/format";
import { CloseIcon, MicIcon, WarnIcon } from "../../ui/icons";

/** Clocks of page and server may differ by this much. */
const SKEW_MS = 120_000;
/** Calls on other lines may have begun since. */
const CALLS_SEARCHED = 10;

export function EndCard({ view, again }: { view: CallView; again: (() => void) | null }) {
  const call = useRecordedCall(view.connectedAtMs);
  return (
    <section
      aria-label={t("talk.call_over")}
      data-ended=""
      className="mx-auto mb-3 flex w-[calc(100%-1.5rem)] max-w-2xl animate-appear flex-wrap items-center gap-3 rounded-3xl border border-line bg-card p-4 shadow-card sm:mb-5"
    >
      <div className="min-w-48 flex-1" role="status">
        <p className="flex items-center gap-2 font-medium">
          {view.problem !== null && <WarnIcon className="size-5 shrink-0 text-warn" />}
          {view.problem ?? endedWords(view.endedReason, "you")}
        </p>
        {view.lastedMs !== null && (
          <p className="mt-0.5 text-sm text-soft tabular-nums">{t("talk.lasted", { time: clock(view.lastedMs) })}</p>
        )}
      </div>
      <div className="flex items-center gap-2">
        {call !== null && (
          <Link
            to="/calls/$id"
            params={{ id: call }}
            className="rounded-2xl border border-line px-4 py-2.5 text-sm font-medium hover:bg-sunken"
          >
            {t("talk.see_call")}
          </Link>
        )}
        <button
          type="button"
          disabled={again === null}
          onClick={() => {
            session.reset();
            again?.();
          }}
          className="flex items-center gap-2 rounded-2xl bg-accent px-4 py-2.5 text-sm font-medium text-on-accent hover:bg-accent-deep disabled:opacity-60"
        >
          <MicIcon className="size-4" />
          {t("talk.again")}
        </button>
        <button
          type="button"
          onClick={() => session.reset()}
          aria-label={t("talk.back")}
          title={t("talk.back")}
          className="grid size-10 place-items-center rounded-2xl text-soft hover:bg-sunken hover:text-ink"
        >
          <CloseIcon className="size-4" />
        </button>
      </div>
    </section>
  );
}

/** The call just ended, as the list knows it. The row may be written a moment after the socket closed. */
function useRecordedCall(connectedAtMs: number | null): string | null {
  const [id, setId] = useState<string | null>(null);
  useEffect(() => {
    if (connectedAtMs === null) return;
    const stop = new AbortController();
    let timer = 0;
    let tries = 4;
    const look = async () => {
      try {
        const query = { limit: CALLS_SEARCHED };
        const { data } = await api.GET("/api/v1/calls", { params: { query }, signal: stop.signal });
        const newest = data?.items ?? [];
        const own = newest.find((call) => call.carrier === "browser" && call.started_at_ms > connectedAtMs - SKEW_MS);
        if (own !== undefined) {
          setId(own.id);
          return;
        }
      } catch {
        // The link is a convenience: the list of calls has it too.
      }
      if (--tries > 0 && !stop.signal.aborted) timer = window.setTimeout(look, 700);
    };
    timer = window.setTimeout(look, 250);
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [connectedAtMs]);
  return id;
}
