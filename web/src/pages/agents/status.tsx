import type { Agent } from "../../api/types";
import { t } from "../../i18n";
import { Badge } from "../../ui/kit/page";

/** What callers get now, and whether something waits to be published. */
export function AgentBadges({ agent }: { agent: Pick<Agent, "status" | "version" | "changed"> }) {
  return (
    <>
      {agent.status !== "enabled" && <Badge tone="warn">{t(`agents.status_${agent.status}`)}</Badge>}
      {agent.version === 0 && <Badge>{t("agents.never_published")}</Badge>}
      {agent.status === "enabled" && agent.version > 0 && (
        <Badge tone="good">{t("agents.serves", { version: agent.version })}</Badge>
      )}
      {agent.changed && agent.version > 0 && <Badge tone="live">{t("agents.draft_differs")}</Badge>}
    </>
  );
}
