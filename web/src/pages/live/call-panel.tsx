import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { $api } from "../../api/client";
import { useCan } from "../../auth/me";
import { callerName } from "../../call/names";
import { t } from "../../i18n";
import type { LiveCall } from "../../live/picture";
import { useLiveCall } from "../../live/use-live";
import { Elapsed } from "../../ui/elapsed";
import { CloseIcon, PhoneDownIcon, TransferIcon } from "../../ui/icons";
import { Button, IconButton, LinkButton } from "../../ui/kit/button";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextField } from "../../ui/kit/field";
import { toast, toastProblem } from "../../ui/kit/toast";
import { StateBadge } from "../calls/call-list";
import { useAgentNames } from "../calls/use-agent-names";

/** One call of the wall: what is said, and what a person may do about it. */
export function CallPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const call = useLiveCall(id);
  const agents = useAgentNames();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <aside
      aria-label={t("live.panel")}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
      className="flex h-full w-full max-w-md shrink-0 animate-appear flex-col border-l border-line bg-card max-lg:absolute max-lg:inset-0 max-lg:z-10 max-lg:max-w-none max-lg:border-l-0"
    >
      <header className="flex items-start gap-3 border-b border-line p-4">
        <div className="min-w-0 flex-1">
          <h2 ref={heading} tabIndex={-1} className="truncate font-semibold tracking-tight outline-none">
            {call === undefined ? t("live.over_title") : callerName(call)}
          </h2>
          {call !== undefined && (
            <p className="mt-1 flex items-center gap-2 text-[0.8125rem] text-soft">
              <StateBadge state={call.state} />
              <Elapsed since_ms={call.answered_at_ms ?? call.started_at_ms} className="font-mono tabular-nums" />
              <span className="truncate">{agents.get(call.agent)}</span>
            </p>
          )}
        </div>
        <IconButton label={t("shell.close")} size="sm" onClick={onClose}>
          <CloseIcon className="size-4" />
        </IconButton>
      </header>
      {call === undefined ? (
        <div className="p-4 text-sm leading-relaxed text-soft">
          <p>{t("live.over_text")}</p>
          <LinkButton to="/calls/$id" params={{ id }} className="mt-4">
            {t("live.see_call")}
          </LinkButton>
        </div>
      ) : (
        <>
          <Said call={call} />
          <Controls call={call} />
        </>
      )}
    </aside>
  );
}

/** The last turns; it follows the newest one. */
function Said({ call }: { call: LiveCall }) {
  const box = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new turn adds height.
  useEffect(() => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [call.turns]);
  return (
    <section
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
      tabIndex={0}
      aria-label={t("call.transcript")}
      className="min-h-0 flex-1 overflow-y-auto p-4 -outline-offset-2"
    >
      <ol className="flex min-h-full flex-col justify-end gap-3 text-sm leading-relaxed" aria-live="polite">
        {call.turns.length === 0 && <li className="text-soft">{t("live.nothing_said")}</li>}
        {call.turns.map((turn) => (
          <li key={turn.seq} data-live-turn={turn.role}>
            <span className="block text-xs font-medium text-soft">
              <span
                aria-hidden="true"
                className={`mr-1.5 inline-block size-2 rounded-full ${turn.role === "agent" ? "bg-agent" : "bg-caller"}`}
              />
              {t(turn.role === "agent" ? "call.agent" : "call.caller")}
            </span>
            {turn.text}
            {!turn.complete && <span className="text-soft"> —</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Controls({ call }: { call: LiveCall }) {
  const can = useCan();
  const [asked, setAsked] = useState<"end" | "transfer" | null>(null);
  if (!can("calls:control")) return null;
  return (
    <footer className="flex flex-wrap gap-2 border-t border-line p-4">
      <Button icon={<TransferIcon className="size-4" />} onClick={() => setAsked("transfer")}>
        {t("live.transfer")}
      </Button>
      <Button tone="danger" icon={<PhoneDownIcon className="size-4" />} onClick={() => setAsked("end")}>
        {t("live.end")}
      </Button>
      <Link
        to="/calls/$id"
        params={{ id: call.id }}
        className="ml-auto self-center text-sm font-medium text-accent-deep underline underline-offset-4"
      >
        {t("live.details")}
      </Link>
      <EndCall call={call} open={asked === "end"} onClose={() => setAsked(null)} />
      <TransferCall call={call} open={asked === "transfer"} onClose={() => setAsked(null)} />
    </footer>
  );
}

function EndCall({ call, open, onClose }: { call: LiveCall; open: boolean; onClose: () => void }) {
  const end = $api.useMutation("post", "/api/v1/calls/{id}/end", {
    onSuccess: () => {
      toast(t("live.ended"));
      onClose();
    },
    onError: toastProblem,
  });
  return (
    <Confirm
      open={open}
      onClose={onClose}
      title={t("live.end_title", { name: callerName(call) })}
      action={t("live.end")}
      busy={end.isPending}
      onConfirm={() => end.mutate({ params: { path: { id: call.id } } })}
    >
      {t("live.end_text")}
    </Confirm>
  );
}

const PHONE = "\\+[0-9]{5,15}";

function TransferCall({ call, open, onClose }: { call: LiveCall; open: boolean; onClose: () => void }) {
  const [to, setTo] = useState("");
  const transfer = $api.useMutation("post", "/api/v1/calls/{id}/transfer", {
    onSuccess: () => {
      toast(t("live.transferred"));
      onClose();
    },
    onError: toastProblem,
  });
  return (
    <Dialog open={open} onClose={onClose} title={t("live.transfer_title")} description={t("live.transfer_text")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          transfer.mutate({ params: { path: { id: call.id } }, body: { to: to.replace(/[^+\d]/g, "") } });
        }}
      >
        <TextField
          label={t("live.transfer_to")}
          hint={t("live.transfer_hint")}
          type="tel"
          value={to}
          onChange={(event) => setTo(event.target.value)}
          pattern={PHONE}
          required
        />
        <DialogActions>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" tone="primary" busy={transfer.isPending}>
            {t("live.transfer")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
