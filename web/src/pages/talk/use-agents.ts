import { useEffect, useState } from "react";
import { api } from "../../api/client";
import { ApiError } from "../../api/problem";
import type { Agent } from "../../api/types";
import { t } from "../../i18n";

const RETRY_MS = 3_000;
const KEY = "frontdesk.agent";

export interface Agents {
  /** `null` while they are being fetched. */
  agents: Agent[] | null;
  problem: string | null;
  chosen: Agent | null;
  choose: (slug: string) => void;
}

/** The agents there are and the one to talk to. Keeps trying while the server is away. */
export function useAgents(): Agents {
  const [agents, setAgents] = useState<Agent[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [slug, setSlug] = useState(() => readChoice());

  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const load = async () => {
      try {
        const { data } = await api.GET("/api/v1/agents", { signal: stop.signal });
        setAgents((data?.items ?? []).filter(onDuty));
        setProblem(null);
      } catch (error) {
        if (stop.signal.aborted) return;
        setProblem(error instanceof ApiError ? error.message : t("talk.agents_failed"));
        timer = window.setTimeout(load, RETRY_MS);
      }
    };
    void load();
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, []);

  const chosen = agents?.find((agent) => agent.slug === slug) ?? agents?.[0] ?? null;
  const choose = (next: string) => {
    setSlug(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Storage is off: the choice lasts as long as the page.
    }
  };
  return { agents, problem, chosen, choose };
}

/** Who was never published has nothing to say to a caller. */
function onDuty({ status, version }: Agent): boolean {
  return status === "enabled" && version > 0;
}

function readChoice(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
