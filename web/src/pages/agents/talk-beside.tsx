import { useSyncExternalStore } from "react";
import { session } from "../../call/session";
import { t } from "../../i18n";
import { MicIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Card } from "../../ui/kit/page";
import { Notice } from "../../ui/notice";
import { Dock } from "../talk/dock";
import { EndCard } from "../talk/end-card";
import { Transcript } from "../talk/transcript";
import type { AgentDetail } from "./draft";

/** The agent as callers hear it, next to what is being changed about it. The call goes on when another page is opened. */
export function TalkBeside({ agent, dirty }: { agent: AgentDetail; dirty: boolean }) {
  const view = useSyncExternalStore(session.subscribe, session.view);
  const answers = agent.status === "enabled" && agent.version > 0;
  if (view.status === "idle" || (view.status === "preparing" && view.lines.length === 0)) {
    return (
      <Card title={t("agents.talk_title", { name: agent.name })}>
        <p className="text-sm leading-relaxed text-soft">
          {answers ? t("agents.talk_version", { version: agent.version }) : t("agents.talk_unpublished")}{" "}
          {answers && (agent.changed || dirty) && t("agents.talk_differs")}
        </p>
        <div className="mt-4 flex flex-wrap gap-2">
          <Button
            tone="primary"
            icon={<MicIcon className="size-4" />}
            disabled={!answers}
            busy={view.status === "preparing"}
            onClick={() => void session.start(agent.slug, true)}
          >
            {t("agents.talk_speak")}
          </Button>
          <Button disabled={!answers} onClick={() => void session.start(agent.slug, false)}>
            {t("agents.talk_type")}
          </Button>
        </div>
      </Card>
    );
  }
  return (
    <section
      aria-label={t("agents.talk_title", { name: agent.name })}
      className="flex h-[min(42rem,75dvh)] flex-col overflow-hidden rounded-2xl border border-line bg-paper pt-2"
    >
      {view.notice !== null && view.status !== "ended" && <Notice>{view.notice}</Notice>}
      <Transcript view={view} agentName={agent.name} language={agent.language} />
      {view.status === "ended" ? (
        <EndCard view={view} again={answers ? () => void session.start(agent.slug, true) : null} />
      ) : (
        <Dock view={view} agentName={agent.name} />
      )}
    </section>
  );
}
