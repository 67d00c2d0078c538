import { useEffect, useSyncExternalStore } from "react";
import type { Agent } from "../../api/types";
import { agentIsSpeaking, type CallView } from "../../call/reducer";
import { session } from "../../call/session";
import { t } from "../../i18n";
import { Notice } from "../../ui/notice";
import { Dock } from "./dock";
import { EndCard } from "./end-card";
import { StartScreen } from "./start-screen";
import { Transcript } from "./transcript";
import { TurnsPanel } from "./turns-panel";
import { useAgents } from "./use-agents";

export default function TalkPage() {
  const view = useSyncExternalStore(session.subscribe, session.view);
  const { agents, problem, chosen, choose } = useAgents();
  useShortcuts(view, chosen);

  if (view.status === "idle" || (view.status === "preparing" && view.lines.length === 0)) {
    return (
      <StartScreen
        agents={agents}
        problem={problem}
        chosen={chosen}
        choose={choose}
        preparing={view.status === "preparing"}
      />
    );
  }
  const agentName = chosen?.name ?? t("talk.agent");
  return (
    <div className="flex h-full">
      <div className="flex min-w-0 flex-1 flex-col">
        <h1 className="sr-only">{t("talk.call_with", { name: agentName })}</h1>
        {view.notice !== null && view.status !== "ended" && <Notice>{view.notice}</Notice>}
        <Transcript view={view} agentName={agentName} language={chosen?.language ?? "en"} />
        {view.status === "ended" ? (
          <EndCard view={view} again={chosen === null ? null : () => void session.start(chosen.slug, true)} />
        ) : (
          <Dock view={view} agentName={agentName} />
        )}
      </div>
      <TurnsPanel view={view} />
    </div>
  );
}

/** Space talks and interrupts, Escape ends, M mutes; keys that go to a field or a button are left alone. */
function useShortcuts(view: CallView, agent: Agent | null): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target instanceof Element ? event.target : null;
      const typing = target?.closest("input, textarea, select") ?? null;
      if (event.key === "Escape") {
        if (typing instanceof HTMLInputElement && typing.value !== "") typing.blur();
        else session.end();
        return;
      }
      if (typing !== null) return;
      if (event.key === " " && target?.closest("button, a, summary, [role=radio]") === null) {
        event.preventDefault();
        onSpace(view, agent);
      }
      if (event.key.toLowerCase() === "m" && view.status === "live") session.setMuted(!view.muted);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [view, agent]);
}

function onSpace(view: CallView, agent: Agent | null): void {
  if (agentIsSpeaking(view)) session.interrupt();
  else if (agent !== null) void session.start(agent.slug, true);
}
