import { Link } from "@tanstack/react-router";
import { type ReactNode, useRef, useState } from "react";
import { $api } from "../../api/client";
import { micWords, plainWords } from "../../call/words";
import { t, wordsOf } from "../../i18n";
import type { LiveCall } from "../../live/picture";
import { type PageKey, usePageKeys } from "../../shell/shortcuts";
import { supervision } from "../../supervise/session";
import { useDeskNames } from "../../supervise/use-names";
import { isHeardElsewhere, type SuperviseNotice, type SuperviseView } from "../../supervise/view";
import { CloseIcon, MicIcon, MicOffIcon, PhoneDownIcon, TakeOverIcon, TransferIcon, WarnIcon } from "../../ui/icons";
import { Button, IconButton } from "../../ui/kit/button";
import { Key } from "../../ui/kit/page";
import { toastProblem } from "../../ui/kit/toast";
import { useCapability } from "../settings/platforms";
import { Composer, type Mode } from "./composer";
import { EndCall, TransferCall } from "./dialogs";
import { HandBackIcon, HoldIcon, ListenIcon, RecordIcon } from "./icons";

interface DeskProps {
  call: LiveCall;
  view: SuperviseView;
  /** Whether the user of this page has the call. */
  mine: boolean;
  /** Whether anybody has. */
  held: boolean;
}

/** Everything that a supervisor may do with a live call. */
export function Desk({ call, view, mine, held }: DeskProps) {
  const [mode, setMode] = useState<Mode>("whisper");
  const [asked, setAsked] = useState<"end" | "transfer" | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const write = (next: Mode) => {
    setMode(next);
    field.current?.focus();
  };
  // Nobody listens in or speaks where the platform carries words alone.
  const audio = useCapability(call.carrier, "audio");
  const open = audio && view.line === "open";
  const { takeOver, handBack, busy } = useHold(call, view, open, setMode);
  // Where the caller does not hear this page, it has nothing to speak with.
  const heard = !isHeardElsewhere(view);
  // Only a platform that can connect the caller to another number is asked to.
  const transfers = useCapability(call.carrier, "transfer_cold");
  const keys: PageKey[] = [
    { key: "t", label: held ? "supervise.hand_back" : "supervise.take_over", press: mine ? handBack : takeOver },
    { key: "w", label: "supervise.whisper", press: () => write("whisper") },
    { key: "s", label: "supervise.say", press: () => write("say") },
    { key: "e", label: "live.end", press: () => setAsked("end") },
  ];
  if (transfers) keys.push({ key: "x", label: "live.transfer", press: () => setAsked("transfer") });
  if (open)
    keys.unshift({ key: "l", label: "supervise.listen", press: () => void supervision.listen(!view.listening) });
  if (open && mine && heard)
    keys.push({ key: "m", label: "supervise.mute", press: () => supervision.setMuted(!view.muted) });
  if (open && !mine) {
    const release = () => void supervision.press(false);
    keys.push({ key: "b", label: "supervise.press", press: () => void supervision.press(true), release });
  }
  usePageKeys(keys);
  return (
    <footer className="flex flex-col gap-3 border-t border-line bg-card p-4 max-sm:gap-2 max-sm:p-3 pb-[max(1rem,env(safe-area-inset-bottom))]">
      <Notice notice={view.notice} />
      {typeof view.microphone === "string" && !["off", "on", "opening"].includes(view.microphone) && (
        <Line warn>{micWords(view.microphone as Parameters<typeof micWords>[0])}</Line>
      )}
      {view.microphone === "opening" && <Line>{t("supervise.opening_mic")}</Line>}
      <div className="grid grid-cols-2 gap-2">
        {open && (
          <Button
            aria-pressed={view.listening}
            data-listen=""
            icon={<ListenIcon className="size-4" />}
            onClick={() => void supervision.listen(!view.listening)}
            className="aria-pressed:border-accent aria-pressed:bg-accent/12 aria-pressed:text-accent-deep"
          >
            {t(view.listening ? "supervise.listen_stop" : "supervise.listen")}
            <Hint>L</Hint>
          </Button>
        )}
        {open && !mine && <PressToTalk pressed={view.pressed} />}
        {open && mine && !heard && (
          <Button
            tone="primary"
            icon={<MicIcon className="size-4" />}
            busy={view.microphone === "opening"}
            onClick={() => void supervision.takeOver()}
          >
            {t("supervise.speak_here")}
          </Button>
        )}
        {open && mine && heard && view.microphone !== "on" && (
          <Button
            icon={<MicIcon className="size-4" />}
            busy={view.microphone === "opening"}
            onClick={() => void supervision.speak()}
          >
            {t("supervise.speak")}
          </Button>
        )}
        {open && mine && heard && view.microphone === "on" && (
          <Button
            aria-pressed={view.muted}
            icon={view.muted ? <MicOffIcon className="size-4" /> : <MicIcon className="size-4" />}
            onClick={() => supervision.setMuted(!view.muted)}
            className="aria-pressed:border-warn aria-pressed:text-warn"
          >
            {t(view.muted ? "supervise.unmute" : "supervise.mute")}
            <Hint>M</Hint>
          </Button>
        )}
        {!mine && (
          <Button
            tone="primary"
            size="lg"
            icon={<TakeOverIcon className="size-4.5" />}
            busy={busy}
            disabled={view.pressed || view.line === "connecting"}
            onClick={takeOver}
            className={held ? "" : "col-span-2"}
          >
            {t("supervise.take_over")}
            <Hint onAccent>T</Hint>
          </Button>
        )}
        {held && (
          <Button
            tone={mine ? "primary" : "secondary"}
            size="lg"
            icon={<HandBackIcon className="size-4.5" />}
            onClick={handBack}
            className={mine ? "col-span-2" : ""}
          >
            {t(mine ? "supervise.hand_back" : "supervise.hand_back_other")}
            {mine && <Hint onAccent>T</Hint>}
          </Button>
        )}
      </div>
      {mine && !open && <Line>{t("supervise.typed_seconds")}</Line>}
      <Composer call={call} mode={mode} setMode={setMode} field={field} mine={mine} />
      <div className="flex flex-wrap items-center gap-2 border-t border-line pt-3 max-sm:pt-2">
        {transfers && (
          <Button size="sm" icon={<TransferIcon className="size-4" />} onClick={() => setAsked("transfer")}>
            {t("live.transfer")}
          </Button>
        )}
        {open && mine && (
          <Button
            size="sm"
            icon={<HoldIcon className={`size-4 ${view.onHold ? "text-warn" : ""}`} />}
            aria-pressed={view.onHold}
            title={t("supervise.hold_hint")}
            onClick={() => supervision.hold(!view.onHold)}
          >
            {t(view.onHold ? "supervise.unhold" : "supervise.hold")}
          </Button>
        )}
        {open && view.recorded && (
          <Button
            size="sm"
            icon={<RecordIcon className={`size-4 ${view.recordingPaused ? "text-warn" : ""}`} />}
            aria-pressed={view.recordingPaused}
            title={t("supervise.pause_recording_hint")}
            onClick={() => supervision.record(view.recordingPaused)}
          >
            {t(view.recordingPaused ? "supervise.resume_recording" : "supervise.pause_recording")}
          </Button>
        )}
        <Button
          size="sm"
          icon={<PhoneDownIcon className="size-4" />}
          onClick={() => setAsked("end")}
          className="text-danger"
        >
          {t("live.end")}
        </Button>
        <Link
          to="/calls/$id"
          params={{ id: call.id }}
          className="ml-auto text-sm font-medium text-accent-deep underline underline-offset-4"
        >
          {t("live.details")}
        </Link>
      </div>
      <EndCall call={call} open={asked === "end"} onClose={() => setAsked(null)} />
      <TransferCall call={call} open={asked === "transfer"} onClose={() => setAsked(null)} />
    </footer>
  );
}

/** Over the line where it stands: then the call goes back when the line breaks. Otherwise by request, for whoever types. */
function useHold(call: LiveCall, view: SuperviseView, open: boolean, setMode: (mode: Mode) => void) {
  const path = { params: { path: { id: call.id } } };
  const take = $api.useMutation("post", "/api/v1/calls/{id}/take-over", { onError: toastProblem });
  const back = $api.useMutation("post", "/api/v1/calls/{id}/hand-back", { onError: toastProblem });
  return {
    busy: take.isPending || view.microphone === "opening",
    takeOver: () => {
      if (open) void supervision.takeOver();
      else {
        setMode("say");
        take.mutate(path);
      }
    },
    handBack: () => {
      if (open) supervision.handBack();
      else back.mutate(path);
    },
  };
}

/** The caller hears whoever holds it, and the agent goes on when it is let go. */
function PressToTalk({ pressed }: { pressed: boolean }) {
  const press = (down: boolean) => void supervision.press(down);
  const isKey = (key: string) => key === " " || key === "Enter";
  return (
    <Button
      aria-pressed={pressed}
      icon={<MicIcon className="size-4" />}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        press(true);
      }}
      onPointerUp={() => press(false)}
      onPointerCancel={() => press(false)}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (!isKey(event.key) || event.repeat) return;
        event.preventDefault();
        press(true);
      }}
      onKeyUp={(event) => isKey(event.key) && press(false)}
      onBlur={() => press(false)}
      className="touch-none select-none aria-pressed:border-person aria-pressed:bg-person/12 aria-pressed:text-person-ink"
    >
      {t(pressed ? "supervise.pressed" : "supervise.press")}
      {!pressed && <Hint>B</Hint>}
    </Button>
  );
}

function Hint({ children, onAccent = false }: { children: string; onAccent?: boolean }) {
  return (
    <span aria-hidden="true" className="max-lg:hidden">
      {onAccent ? (
        <kbd className="inline-grid h-5 min-w-5 place-items-center rounded border border-on-accent/40 px-1 font-sans text-[0.6875rem]">
          {children}
        </kbd>
      ) : (
        <Key>{children}</Key>
      )}
    </span>
  );
}

function Line({ children, warn = false }: { children: ReactNode; warn?: boolean }) {
  return (
    <p
      role="status"
      className={`flex items-start gap-2 text-[0.8125rem] leading-snug ${warn ? "text-warn" : "text-soft"}`}
    >
      {warn && <WarnIcon className="size-4 shrink-0" />}
      {children}
    </p>
  );
}

function Notice({ notice }: { notice: SuperviseNotice | null }) {
  const nameOf = useDeskNames();
  if (notice === null) return null;
  return (
    <div
      role="alert"
      className="flex items-start gap-2 rounded-xl border border-warn/30 bg-warn/8 px-3 py-2 text-[0.8125rem] leading-snug"
    >
      <WarnIcon className="mt-px size-4 shrink-0 text-warn" />
      <p className="min-w-0 flex-1 wrap-anywhere">
        {notice.kind === "absent" && t("supervise.absent")}
        {notice.kind === "taken" && t("supervise.taken", { name: nameOf(notice.by) })}
        {notice.kind === "refused" && (
          <>
            {t("supervise.not_done", {
              command: wordsOf("desk_commands", notice.command) ?? plainWords(notice.command),
            })}
            <span className="block text-soft">{notice.detail}</span>
          </>
        )}
      </p>
      <IconButton label={t("shell.close")} size="sm" onClick={() => supervision.noticeRead()} className="-my-1">
        <CloseIcon className="size-3.5" />
      </IconButton>
    </div>
  );
}
