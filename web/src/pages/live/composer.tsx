import { type FormEvent, type RefObject, useState } from "react";
import { $api } from "../../api/client";
import { t } from "../../i18n";
import type { LiveCall } from "../../live/picture";
import { SayIcon, SendIcon, WhisperIcon } from "../../ui/icons";
import { Spinner } from "../../ui/kit/button";
import { toastProblem } from "../../ui/kit/toast";

/** As the API bounds both. */
const CHARS_MAX = 500;
/** From so few on, how many are left is said. */
const CHARS_NEAR_END = 60;

export type Mode = "whisper" | "say";

interface ComposerProps {
  call: LiveCall;
  mode: Mode;
  setMode: (mode: Mode) => void;
  field: RefObject<HTMLInputElement | null>;
  mine: boolean;
}

/** Words for the agent, or for the caller. Enter sends them. */
export function Composer({ call, mode, setMode, field, mine }: ComposerProps) {
  const [texts, setTexts] = useState<Record<Mode, string>>({ whisper: "", say: "" });
  const text = texts[mode];
  const done = (of: Mode) => () => setTexts((now) => ({ ...now, [of]: "" }));
  const whisper = $api.useMutation("post", "/api/v1/calls/{id}/whisper", {
    onSuccess: done("whisper"),
    onError: toastProblem,
  });
  const say = $api.useMutation("post", "/api/v1/calls/{id}/say", { onSuccess: done("say"), onError: toastProblem });
  const busy = whisper.isPending || say.isPending;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const words = text.trim();
    if (words === "" || busy) return;
    const request = { params: { path: { id: call.id } }, body: { text: words } };
    if (mode === "whisper") whisper.mutate(request);
    else say.mutate(request);
  };
  const left = CHARS_MAX - text.length;
  const hint = mode === "whisper" ? "supervise.whisper_hint" : mine ? "supervise.say_mine" : "supervise.say_hint";
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      <fieldset className="flex gap-1 rounded-lg bg-sunken p-0.5">
        <legend className="sr-only">{t("supervise.words_for")}</legend>
        <ModeChoice mode="whisper" chosen={mode} choose={setMode} />
        <ModeChoice mode="say" chosen={mode} choose={setMode} />
      </fieldset>
      <div className="relative">
        <input
          ref={field}
          value={text}
          onChange={(event) => setTexts((now) => ({ ...now, [mode]: event.target.value }))}
          onKeyDown={(event) => {
            // Escape leaves the field first, and the panel only then.
            if (event.key !== "Escape") return;
            event.stopPropagation();
            event.currentTarget.blur();
          }}
          maxLength={CHARS_MAX}
          aria-label={t(mode === "whisper" ? "supervise.whisper_field" : "supervise.say_field")}
          aria-describedby="composer-hint"
          placeholder={t(mode === "whisper" ? "supervise.whisper_field" : "supervise.say_field")}
          autoComplete="off"
          enterKeyHint="send"
          className="h-10 w-full rounded-xl border border-field bg-card pr-11 pl-3 text-sm placeholder:text-faint max-sm:text-base"
        />
        <button
          type="submit"
          aria-label={t("supervise.send")}
          disabled={text.trim() === "" || busy}
          className="absolute top-1 right-1 grid size-8 place-items-center rounded-lg bg-accent text-on-accent transition-opacity hover:bg-accent-deep disabled:opacity-40"
        >
          {busy ? <Spinner /> : <SendIcon className="size-4" />}
        </button>
      </div>
      <p id="composer-hint" className="text-xs leading-snug text-soft max-sm:sr-only">
        {left <= CHARS_NEAR_END ? t("supervise.characters_left", { count: left }) : t(hint)}
      </p>
    </form>
  );
}

function ModeChoice({ mode, chosen, choose }: { mode: Mode; chosen: Mode; choose: (mode: Mode) => void }) {
  const Icon = mode === "whisper" ? WhisperIcon : SayIcon;
  return (
    <label className="flex h-7 flex-1 cursor-pointer items-center justify-center gap-1.5 rounded-md text-[0.8125rem] text-soft has-checked:bg-card has-checked:font-medium has-checked:text-ink has-checked:shadow-raised has-focus-visible:outline-2 has-focus-visible:outline-accent">
      <input
        type="radio"
        name="words-for"
        value={mode}
        checked={mode === chosen}
        onChange={() => choose(mode)}
        className="sr-only"
      />
      <Icon className="size-4" />
      {t(mode === "whisper" ? "supervise.whisper" : "supervise.say")}
    </label>
  );
}
