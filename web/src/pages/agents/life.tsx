import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { queryClient } from "../../shell/query-client";
import { MoreIcon } from "../../ui/icons";
import { Button, IconButton } from "../../ui/kit/button";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextField } from "../../ui/kit/field";
import { Menu } from "../../ui/kit/menu";
import { toast, toastProblem } from "../../ui/kit/toast";
import type { AgentDetail } from "./draft";

type Changed = () => Promise<void>;

export function refreshAgents(): Promise<void> {
  return queryClient.invalidateQueries({ queryKey: ["get", "/api/v1/agents"] });
}

/** Puts the draft before callers. Refused by the server when somebody changed it after this page read it. */
export function Publish({ agent, dirty, changed }: { agent: AgentDetail; dirty: boolean; changed: Changed }) {
  const can = useCan();
  const [open, setOpen] = useState(false);
  const [note, setNote] = useState("");
  const publish = $api.useMutation("post", "/api/v1/agents/{agent}/publish");
  if (!can("agents:publish")) return null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    publish.mutate(
      {
        params: { path: { agent: agent.slug } },
        headers: ifMatch(agent.revision),
        body: { note: note === "" ? null : note },
      },
      {
        onSuccess: async (now) => {
          await Promise.all([changed(), refreshAgents()]);
          setOpen(false);
          setNote("");
          toast(t("agents.published", { version: now.version }));
        },
        onError: toastProblem,
      },
    );
  };
  return (
    <>
      <Button
        tone="primary"
        disabled={dirty || (!agent.changed && agent.version > 0)}
        title={dirty ? t("agents.publish_unsaved") : undefined}
        onClick={() => setOpen(true)}
      >
        {t("agents.publish")}
      </Button>
      <Dialog
        open={open}
        onClose={() => setOpen(false)}
        title={t("agents.publish")}
        description={t("agents.publish_lead")}
      >
        <form onSubmit={submit}>
          <TextField
            label={t("agents.note")}
            hint={t("agents.note_hint")}
            value={note}
            onChange={(event) => setNote(event.target.value)}
            maxLength={1000}
          />
          <DialogActions>
            <Button onClick={() => setOpen(false)}>{t("shell.cancel")}</Button>
            <Button type="submit" tone="primary" busy={publish.isPending}>
              {t("agents.publish")}
            </Button>
          </DialogActions>
        </form>
      </Dialog>
    </>
  );
}

/** On, off and away. */
export function AgentMenu({ agent, changed }: { agent: AgentDetail; changed: Changed }) {
  const can = useCan();
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  const [busy, setBusy] = useState(false);
  const path = { agent: agent.slug };
  const setStatus = async (status: "enabled" | "disabled") => {
    try {
      await api.PUT("/api/v1/agents/{agent}/status", { params: { path }, body: { status } });
      await Promise.all([changed(), refreshAgents()]);
      toast(t(status === "enabled" ? "agents.switched_on" : "agents.switched_off", { name: agent.name }));
    } catch (error) {
      toastProblem(error);
    }
  };
  const remove = async () => {
    setBusy(true);
    try {
      await api.DELETE("/api/v1/agents/{agent}", { params: { path } });
      toast(t("agents.deleted", { name: agent.name }));
      await navigate({ to: "/agents" });
      await refreshAgents();
    } catch (error) {
      toastProblem(error);
      setDeleting(false);
    }
    setBusy(false);
  };
  const on = agent.status === "enabled";
  const items = [
    ...(can("agents:publish")
      ? [
          {
            label: on ? t("agents.switch_off") : t("agents.switch_on"),
            onSelect: () => void setStatus(on ? "disabled" : "enabled"),
          },
        ]
      : []),
    ...(can("agents:write") ? [{ label: t("agents.delete"), danger: true, onSelect: () => setDeleting(true) }] : []),
  ];
  if (items.length === 0) return null;
  return (
    <>
      <Menu
        trigger={
          <IconButton label={t("kit.actions")}>
            <MoreIcon />
          </IconButton>
        }
        items={items}
      />
      <Confirm
        open={deleting}
        title={t("agents.delete_title", { name: agent.name })}
        action={t("agents.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setDeleting(false)}
      >
        {t("agents.delete_text")}
      </Confirm>
    </>
  );
}
