import { useState } from "react";
import { api, ifMatch } from "../../api/client";
import { t } from "../../i18n";
import { PlusIcon, ToolIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Confirm } from "../../ui/kit/dialog";
import { Badge, Empty } from "../../ui/kit/page";
import { toast, toastProblem } from "../../ui/kit/toast";
import type { AgentDetail, Tool } from "./draft";
import { ToolEditor } from "./tool-editor";
import { ToolTrial } from "./tool-trial";

interface ToolsProps {
  agent: AgentDetail;
  editable: boolean;
  changed: () => Promise<void>;
}

const FRESH: Tool = { name: "", description: "", parameters: [], action: { kind: "http", url: "", method: "GET" } };

/** What the agent may do. Each tool is saved by itself into the draft; callers get it when the draft is published. */
export function ToolsTab({ agent, editable, changed }: ToolsProps) {
  // With the revision that it is changed on: what others save meanwhile is not overwritten.
  const [editing, setEditing] = useState<{ tool: Tool; revision: number } | null>(null);
  const [trying, setTrying] = useState<Tool | null>(null);
  const [removing, setRemoving] = useState<Tool | null>(null);
  const [busy, setBusy] = useState(false);
  const { tools } = agent.draft;
  const edit = (tool: Tool) => setEditing({ tool, revision: agent.revision });
  const remove = async () => {
    if (removing === null) return;
    setBusy(true);
    try {
      const path = { agent: agent.slug, tool: removing.name };
      await api.DELETE("/api/v1/agents/{agent}/tools/{tool}", { params: { path } });
      await changed();
      toast(t("tools.removed", { name: removing.name }));
      setRemoving(null);
    } catch (error) {
      toastProblem(error);
    }
    setBusy(false);
  };
  const save = async (tool: Tool, revision: number) => {
    const path = { agent: agent.slug, tool: tool.name };
    try {
      await api.PUT("/api/v1/agents/{agent}/tools/{tool}", {
        params: { path },
        headers: ifMatch(revision),
        body: tool,
      });
    } finally {
      // Where somebody else was quicker, too: opened again, it is as they left it.
      await changed();
    }
    setEditing(null);
    toast(t("tools.saved", { name: tool.name }));
  };
  const add = editable && (
    <Button icon={<PlusIcon className="size-4" />} onClick={() => edit(FRESH)}>
      {t("tools.add")}
    </Button>
  );
  return (
    <>
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <p className="max-w-prose text-sm text-soft">{t("tools.lead")}</p>
        {tools.length > 0 && add}
      </div>
      {tools.length === 0 && (
        <Empty icon={<ToolIcon />} title={t("tools.empty_title")} action={add || undefined}>
          {t("tools.empty_text")}
        </Empty>
      )}
      <ul className="flex flex-col gap-2">
        {tools.map((tool) => (
          <li
            key={tool.name}
            data-tool={tool.name}
            className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-2xl border border-line bg-card px-4 py-3"
          >
            <div className="min-w-0 flex-1 basis-64">
              <p className="flex flex-wrap items-center gap-2">
                <code className="font-mono text-sm font-medium">{tool.name}</code>
                <Badge>{t(`tools.kind_${tool.action.kind}`)}</Badge>
                {tool.changes_state && <Badge tone="warn">{t("tools.changes")}</Badge>}
              </p>
              <p className="mt-0.5 line-clamp-2 text-sm text-soft">{tool.description}</p>
            </div>
            {tool.action.kind === "http" && editable && (
              <Button size="sm" onClick={() => setTrying(tool)}>
                {t("tools.try")}
              </Button>
            )}
            {editable && (
              <>
                <Button size="sm" onClick={() => edit(tool)}>
                  {t("kit.edit")}
                  <span className="sr-only">{tool.name}</span>
                </Button>
                <Button size="sm" tone="ghost" onClick={() => setRemoving(tool)}>
                  {t("kit.remove")}
                  <span className="sr-only">{tool.name}</span>
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
      {editing !== null && (
        <ToolEditor
          tool={editing.tool}
          taken={tools.map(({ name }) => name).filter((name) => name !== editing.tool.name)}
          save={(tool) => save(tool, editing.revision)}
          onClose={() => setEditing(null)}
        />
      )}
      {trying !== null && <ToolTrial agent={agent.slug} tool={trying} onClose={() => setTrying(null)} />}
      <Confirm
        open={removing !== null}
        title={t("tools.remove_title", { name: removing?.name ?? "" })}
        action={t("kit.remove")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("tools.remove_text")}
      </Confirm>
    </>
  );
}
