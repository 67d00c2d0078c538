import type { ReactNode } from "react";
import type { Agent } from "../../api/types";
import { session } from "../../call/session";
import { t } from "../../i18n";
import { MicIcon } from "../../ui/icons";
import { Notice } from "../../ui/notice";

interface StartScreenProps {
  agents: Agent[] | null;
  problem: string | null;
  chosen: Agent | null;
  choose: (slug: string) => void;
  preparing: boolean;
}

export function StartScreen({ agents, problem, chosen, choose, preparing }: StartScreenProps) {
  return (
    <div className="flex h-full flex-col overflow-y-auto">
      {problem !== null && <Notice>{t("talk.trying_again", { problem })}</Notice>}
      <div className="m-auto flex w-full max-w-xl flex-col items-center px-6 py-10 text-center">
        {agents?.length === 0 ? (
          <Empty />
        ) : (
          <>
            <h1 className="text-3xl font-semibold tracking-tight text-balance sm:text-4xl">
              {chosen === null ? <Placeholder /> : t("talk.talk_to", { name: chosen.name })}
            </h1>
            <p className="mt-3 min-h-6 text-soft">{preparing ? t("talk.allow_mic") : chosen?.business_name}</p>
            <TalkButton
              disabled={chosen === null || preparing}
              preparing={preparing}
              onClick={() => chosen !== null && void session.start(chosen.slug, true)}
            />
            {agents !== null && agents.length > 1 && (
              <AgentPicker agents={agents} chosen={chosen} choose={choose} disabled={preparing} />
            )}
            <button
              type="button"
              disabled={chosen === null || preparing}
              onClick={() => chosen !== null && void session.start(chosen.slug, false)}
              className="rounded-lg px-3 py-2 text-sm text-soft underline decoration-line underline-offset-4 hover:text-ink hover:decoration-faint disabled:opacity-50"
            >
              {t("talk.type_instead")}
            </button>
            <p className="mt-8 hidden items-center gap-5 text-xs text-faint sm:flex">
              <span>
                <Key>Space</Key> {t("talk.space_hint")}
              </span>
              <span>
                <Key>M</Key> {t("talk.mute_hint")}
              </span>
              <span>
                <Key>Esc</Key> {t("talk.end_hint")}
              </span>
            </p>
          </>
        )}
      </div>
    </div>
  );
}

function Placeholder() {
  return (
    <span className="inline-block h-9 w-56 animate-pulse rounded-xl bg-sunken align-middle">
      <span className="sr-only">{t("shell.loading")}</span>
    </span>
  );
}

function Empty() {
  return (
    <>
      <h1 className="text-2xl font-semibold tracking-tight">{t("talk.no_agent")}</h1>
      <p className="mt-3 text-soft">{t("talk.no_agent_help")}</p>
    </>
  );
}

function TalkButton({ disabled, preparing, onClick }: { disabled: boolean; preparing: boolean; onClick: () => void }) {
  return (
    <div className="relative my-12 grid place-items-center">
      {!disabled && <span aria-hidden="true" className="absolute size-36 animate-breathe rounded-full bg-accent/40" />}
      <button
        type="button"
        onClick={onClick}
        disabled={disabled}
        aria-busy={preparing}
        className="relative flex size-36 flex-col items-center justify-center gap-2 rounded-full bg-accent text-on-accent shadow-card outline-offset-4 transition-[background-color,scale] hover:bg-accent-deep active:scale-97 disabled:opacity-60"
      >
        <MicIcon className="size-9" />
        <span className="text-[1.0625rem] font-semibold">{preparing ? t("talk.waiting") : t("talk.talk")}</span>
      </button>
    </div>
  );
}

function AgentPicker({
  agents,
  chosen,
  choose,
  disabled,
}: {
  agents: Agent[];
  chosen: Agent | null;
  choose: (slug: string) => void;
  disabled: boolean;
}) {
  return (
    <fieldset disabled={disabled} className="mb-8 w-full">
      <legend className="sr-only">{t("talk.agent")}</legend>
      <div className="flex flex-wrap justify-center gap-2">
        {agents.map((agent) => (
          <label
            key={agent.id}
            className="flex min-w-36 cursor-pointer flex-col rounded-2xl border border-line bg-card px-4 py-3 text-left transition-colors hover:border-faint has-checked:border-accent has-checked:bg-accent/8 has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name="agent"
              value={agent.slug}
              checked={agent.slug === chosen?.slug}
              onChange={() => choose(agent.slug)}
              className="sr-only"
            />
            <span className="text-sm font-medium">{agent.name}</span>
            <span className="text-xs text-soft">{agent.business_name}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function Key({ children }: { children: ReactNode }) {
  return (
    <kbd className="mr-1 rounded-md border border-line bg-card px-1.5 py-0.5 font-sans text-[0.6875rem] text-soft">
      {children}
    </kbd>
  );
}
