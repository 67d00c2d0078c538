import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { PlusIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { Badge, Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { useAction } from "./action";
import { SectionHead } from "./section";

type Server = components["schemas"]["McpServer"];
type McpTool = components["schemas"]["McpTool"];

/** Servers of the Model Context Protocol: their tools can be put into agents. */
export function McpSection() {
  const can = useCan();
  const manage = can("providers:manage");
  const servers = $api.useQuery("get", "/api/v1/mcp-servers", {});
  const [editing, setEditing] = useState<Server | "new" | null>(null);
  const [asked, setAsked] = useState<string | null>(null);
  const [removing, setRemoving] = useState<string | null>(null);
  const { busy, run } = useAction();
  const remove = () =>
    run(async () => {
      if (removing === null) return;
      await api.DELETE("/api/v1/mcp-servers/{name}", { params: { path: { name: removing } } });
      await servers.refetch();
      setRemoving(null);
    });
  return (
    <>
      <SectionHead
        title={t("settings.mcp")}
        lead={t("settings.mcp_lead")}
        actions={
          manage && (
            <Button tone="primary" icon={<PlusIcon className="size-4" />} onClick={() => setEditing("new")}>
              {t("settings.add_mcp")}
            </Button>
          )
        }
      />
      {servers.isPending && <Skeleton rows={2} />}
      {servers.error !== null && <Problem error={servers.error} retry={() => void servers.refetch()} />}
      {servers.data?.items.length === 0 && <Empty title={t("settings.mcp_none")}>{t("settings.mcp_none_text")}</Empty>}
      <ul className="flex flex-col gap-2">
        {servers.data?.items.map((server) => (
          <li
            key={server.name}
            data-mcp={server.name}
            className="flex flex-wrap items-center gap-2 rounded-2xl border border-line bg-card px-4 py-3 text-sm"
          >
            <span className="min-w-0 flex-1 basis-56">
              <code className="font-mono font-medium">{server.name}</code>
              <span className="block text-xs text-soft wrap-anywhere">{server.url}</span>
              {server.credential != null && (
                <span className="block text-xs text-soft">
                  {t("settings.mcp_credential_of", { name: server.credential })}
                </span>
              )}
            </span>
            {can("agents:write") && (
              <Button size="sm" onClick={() => setAsked(server.name)}>
                {t("settings.mcp_tools")}
              </Button>
            )}
            {manage && (
              <>
                <Button size="sm" onClick={() => setEditing(server)}>
                  {t("kit.edit")}
                </Button>
                <Button size="sm" tone="ghost" onClick={() => setRemoving(server.name)}>
                  {t("kit.delete")}
                  <span className="sr-only">{server.name}</span>
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
      {editing !== null && (
        <ServerDialog
          known={editing === "new" ? null : editing}
          onClose={() => setEditing(null)}
          saved={() => {
            setEditing(null);
            void servers.refetch();
          }}
        />
      )}
      {asked !== null && <ToolsDialog server={asked} onClose={() => setAsked(null)} />}
      <Confirm
        open={removing !== null}
        title={t("settings.delete_title", { name: removing ?? "" })}
        action={t("kit.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("settings.mcp_delete_text")}
      </Confirm>
    </>
  );
}

function ServerDialog({ known, onClose, saved }: { known: Server | null; onClose: () => void; saved: () => void }) {
  const [name, setName] = useState(known?.name ?? "");
  const [url, setUrl] = useState(known?.url ?? "");
  const [credential, setCredential] = useState(known?.credential ?? "");
  const can = useCan();
  const secrets =
    $api.useQuery("get", "/api/v1/tool-credentials", {}, { enabled: can("providers:read") }).data?.items ?? [];
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const body = { url: url.trim(), credential: credential === "" ? null : credential };
    const done = await run(() => api.PUT("/api/v1/mcp-servers/{name}", { params: { path: { name } }, body }));
    if (!done) return;
    toast(t("kit.saved"));
    saved();
  };
  const names = [...new Set([...secrets.map((one) => one.name), ...(credential === "" ? [] : [credential])])];
  return (
    <Dialog open onClose={onClose} title={known === null ? t("settings.add_mcp") : t("kit.edit")}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <TextField
          label={t("settings.name")}
          hint={t("settings.mcp_name_hint")}
          pattern="[A-Za-z0-9._\-]+"
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.target.value)}
          disabled={known !== null}
          required
        />
        <TextField
          label={t("settings.url")}
          hint={t("settings.mcp_url_hint")}
          type="url"
          placeholder="https://tools.example.com/mcp"
          maxLength={2000}
          value={url}
          onChange={(event) => setUrl(event.target.value)}
          required
        />
        <Select
          label={t("settings.mcp_credential")}
          hint={t("settings.mcp_credential_hint")}
          value={credential}
          onChange={(event) => setCredential(event.target.value)}
          options={[{ value: "", label: t("kit.none") }, ...names.map((value) => ({ value, label: value }))]}
        />
        <DialogActions>
          <Button type="submit" tone="primary" busy={busy}>
            {t("shell.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

/** What the server offers at this moment. */
function ToolsDialog({ server, onClose }: { server: string; onClose: () => void }) {
  const tools = $api.useQuery(
    "get",
    "/api/v1/mcp-servers/{name}/tools",
    { params: { path: { name: server } } },
    { retry: false, staleTime: 0 },
  );
  return (
    <Dialog open wide onClose={onClose} title={t("settings.mcp_tools_of", { name: server })}>
      {tools.isPending && <Skeleton rows={3} />}
      {tools.error !== null && <Problem error={tools.error} retry={() => void tools.refetch()} />}
      {tools.data?.items.length === 0 && <p className="text-sm text-soft">{t("settings.mcp_no_tools")}</p>}
      <ul className="divide-y divide-line">
        {tools.data?.items.map((one) => (
          <ToolRow key={one.tool.name} one={one} />
        ))}
      </ul>
      <p className="mt-4 text-sm text-soft">
        {t("settings.mcp_put_in")}{" "}
        <Link to="/agents" className="font-medium text-accent-deep hover:underline">
          {t("agents.title")}
        </Link>
      </p>
    </Dialog>
  );
}

function ToolRow({ one: { tool, usable, left_out } }: { one: McpTool }) {
  return (
    <li className="py-2.5 text-sm">
      <p className="flex flex-wrap items-center gap-2">
        <code className="font-mono font-medium">{tool.name}</code>
        {tool.changes_state && <Badge tone="warn">{t("settings.mcp_changes")}</Badge>}
        {!usable && <Badge tone="bad">{t("settings.mcp_unusable")}</Badge>}
      </p>
      <p className="text-soft wrap-anywhere">{tool.description}</p>
      {left_out.length > 0 && (
        <p className="text-xs text-soft">{t("settings.mcp_left_out", { names: left_out.join(", ") })}</p>
      )}
    </li>
  );
}
