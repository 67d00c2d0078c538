import { type FormEvent, type ReactNode, useEffect, useState } from "react";
import { agentIsSpeaking, type CallView } from "../../call/reducer";
import { session } from "../../call/session";
import { phaseWords } from "../../call/words";
import { t } from "../../i18n";
import { clock } from "../../ui/format";
import { HandIcon, MicIcon, MicOffIcon, PhoneDownIcon, SendIcon } from "../../ui/icons";
import { LineSign } from "./line-sign";
import { Meters } from "./meters";

/** As much as one caller turn may hold. */
const TEXT_CHARS_MAX = 4_000;

/** Everything a caller does during a call, within a thumb's reach. */
export function Dock({ view, agentName }: { view: CallView; agentName: string }) {
  return (
    <section
      aria-label={t("talk.controls")}
      className="mx-auto mb-3 w-[calc(100%-1.5rem)] max-w-2xl rounded-3xl border border-line bg-card p-3 shadow-card sm:mb-5"
    >
      <div className="flex items-center gap-3 px-2 pb-1 text-sm">
        <Status view={view} />
        <LineSign view={view} />
        <span className="font-mono text-xs text-faint tabular-nums">
          <Elapsed sinceMs={view.connectedAtMs} />
        </span>
      </div>
      <div className="flex items-center gap-2 px-2">
        <div aria-hidden="true" className="flex h-14 w-14 shrink-0 flex-col justify-around text-xs font-medium">
          <VoiceLabel name={agentName} on={view.phase === "speaking"} color="text-agent-ink" />
          <VoiceLabel
            name={view.muted ? t("talk.muted") : t("talk.you")}
            on={view.callerSpeaking}
            color="text-caller"
          />
        </div>
        <Meters active={view.status === "live"} />
      </div>
      <Composer view={view} />
    </section>
  );
}

function Status({ view }: { view: CallView }) {
  let words = phaseWords(view.phase);
  if (view.status === "connecting" || view.status === "preparing") words = t("talk.connecting");
  else if (view.status === "ending") words = t("talk.ending");
  else if (view.callerSpeaking) words = t("phases.listening");
  return (
    <span className="flex items-center gap-2 font-medium" role="status" data-phase={view.phase}>
      <span className="relative grid size-2.5 place-items-center" aria-hidden="true">
        {view.status === "live" && <span className="absolute size-2.5 animate-ping rounded-full bg-agent/50" />}
        <span className={`size-2 rounded-full ${view.status === "live" ? "bg-agent" : "bg-faint"}`} />
      </span>
      {words}
    </span>
  );
}

function VoiceLabel({ name, on, color }: { name: string; on: boolean; color: string }) {
  return <span className={`truncate transition-colors ${on ? color : "text-faint"}`}>{name}</span>;
}

function Elapsed({ sinceMs }: { sinceMs: number | null }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 500);
    return () => window.clearInterval(timer);
  }, []);
  return sinceMs === null ? "" : clock(now - sinceMs);
}

function Composer({ view }: { view: CallView }) {
  const [text, setText] = useState("");
  const live = view.status === "live";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    session.sendText(text);
    setText("");
  };
  return (
    <div className="mt-2 flex items-center gap-2">
      <form onSubmit={submit} className="relative min-w-0 flex-1">
        <input
          value={text}
          onChange={(event) => setText(event.target.value)}
          maxLength={TEXT_CHARS_MAX}
          disabled={!live}
          aria-label={t("talk.type_field")}
          placeholder={t("talk.or_type")}
          autoComplete="off"
          enterKeyHint="send"
          className="h-11 w-full rounded-2xl bg-sunken pr-11 pl-4 text-base outline-offset-0 placeholder:text-faint sm:text-[0.9375rem]"
        />
        {text.trim() !== "" && (
          <button
            type="submit"
            aria-label={t("talk.send")}
            className="absolute top-1.5 right-1.5 grid size-8 place-items-center rounded-xl bg-accent text-on-accent hover:bg-accent-deep"
          >
            <SendIcon className="size-4" />
          </button>
        )}
      </form>
      <RoundButton
        label={view.muted ? t("talk.unmute") : t("talk.mute")}
        keys="M"
        disabled={!live}
        pressed={view.muted}
        onClick={() => session.setMuted(!view.muted)}
      >
        {view.muted ? <MicOffIcon /> : <MicIcon />}
      </RoundButton>
      <RoundButton
        label={t("talk.interrupt")}
        keys="Space"
        disabled={!agentIsSpeaking(view)}
        onClick={() => session.interrupt()}
      >
        <HandIcon />
      </RoundButton>
      <button
        type="button"
        onClick={() => session.end()}
        disabled={view.status === "ending"}
        title={t("talk.end_title")}
        className="flex h-11 items-center gap-2 rounded-2xl bg-hangup px-3.5 font-medium text-white transition-opacity hover:opacity-90 disabled:opacity-50"
      >
        <PhoneDownIcon />
        <span className="max-sm:sr-only">{t("talk.end")}</span>
      </button>
    </div>
  );
}

interface RoundButtonProps {
  label: string;
  keys: string;
  disabled: boolean;
  pressed?: boolean;
  onClick: () => void;
  children: ReactNode;
}

function RoundButton({ label, keys, disabled, pressed, onClick, children }: RoundButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      title={`${label} (${keys})`}
      disabled={disabled}
      onClick={onClick}
      className="grid size-11 shrink-0 place-items-center rounded-2xl border border-line text-soft transition-colors hover:bg-sunken hover:text-ink disabled:opacity-40 aria-pressed:border-transparent aria-pressed:bg-warn/15 aria-pressed:text-warn"
    >
      {children}
    </button>
  );
}
