import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { Button } from "../../ui/kit/button";
import { Dialog } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { FormDialog } from "../../ui/kit/form-dialog";
import { Badge, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { Listed } from "./listed";

type Server = components["schemas"]["McpServer"];
type McpTool = components["schemas"]["McpTool"];

/** Servers of the Model Context Protocol: their tools can be put into agents. */
export function McpSection() {
  const can = useCan();
  const servers = $api.useQuery("get", "/api/v1/mcp-servers", {});
  const [asked, setAsked] = useState<string | null>(null);
  return (
    <>
      <Listed
        title={t("settings.mcp")}
        lead={t("settings.mcp_lead")}
        query={servers}
        none={{ title: t("settings.mcp_none"), text: t("settings.mcp_none_text") }}
        idOf={({ name }) => name}
        nameOf={({ name }) => name}
        mark="mcp"
        add={can("providers:manage") && { label: t("settings.add_mcp"), tone: "primary" }}
        editable
        row={(server) => (
          <>
            <code className="font-mono font-medium">{server.name}</code>
            <span className="block text-xs text-soft wrap-anywhere">{server.url}</span>
            {server.credential != null && (
              <span className="block text-xs text-soft">
                {t("settings.mcp_credential_of", { name: server.credential })}
              </span>
            )}
          </>
        )}
        actions={({ name }) =>
          can("agents:write") && (
            <Button size="sm" onClick={() => setAsked(name)}>
              {t("settings.mcp_tools")}
              <span className="sr-only">{name}</span>
            </Button>
          )
        }
        form={(known, close) => (
          <ServerDialog
            known={known}
            onClose={close}
            saved={() => {
              close();
              void servers.refetch();
            }}
          />
        )}
        remove={{
          label: t("kit.delete"),
          title: (name) => t("settings.delete_title", { name }),
          text: t("settings.mcp_delete_text"),
          run: ({ name }) => api.DELETE("/api/v1/mcp-servers/{name}", { params: { path: { name } } }),
        }}
      />
      {asked !== null && <ToolsDialog server={asked} onClose={() => setAsked(null)} />}
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
  const submit = async () => {
    const body = { url: url.trim(), credential: credential === "" ? null : credential };
    await api.PUT("/api/v1/mcp-servers/{name}", {
      params: { path: { name } },
      body,
      ...(known === null ? {} : { headers: ifMatch(known.version) }),
    });
    toast(t("kit.saved"));
    saved();
  };
  const names = [...new Set([...secrets.map((one) => one.name), ...(credential === "" ? [] : [credential])])];
  return (
    <FormDialog submit={submit} onClose={onClose} title={known === null ? t("settings.add_mcp") : t("kit.edit")}>
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
    </FormDialog>
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
