import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan, useMe } from "../../auth/me";
import { t, wordsOf } from "../../i18n";
import { shortDate } from "../../ui/format";
import { MoreIcon, PlusIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button, IconButton } from "../../ui/kit/button";
import { Copyable } from "../../ui/kit/copy";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { useFind } from "../../ui/kit/find";
import { Menu } from "../../ui/kit/menu";
import { Badge, Problem, Skeleton } from "../../ui/kit/page";
import { Table } from "../../ui/kit/table";
import { toast } from "../../ui/kit/toast";
import { SectionHead } from "./section";

type User = components["schemas"]["UserView"];

export const ROLES = ["owner", "admin", "supervisor", "operator", "analyst", "developer"];
const PAGE = 100;

export const roleWords = (role: string) => wordsOf("roles", role) ?? role;
const roleOptions = () => ROLES.map((value) => ({ value, label: roleWords(value) }));
const page = { params: { query: { limit: PAGE } } };

export function PeopleSection() {
  const can = useCan();
  const [inviting, setInviting] = useState(false);
  const users = $api.useQuery("get", "/api/v1/users", page);
  const invitations = $api.useQuery("get", "/api/v1/invitations", {});
  const [shown, find] = useFind(users.data?.items, ({ name, email, role }) => [name, email, roleWords(role)].join(" "));
  const manage = can("people:manage");
  const { run } = useAction();
  const withdraw = (id: string) =>
    run(async () => {
      await api.DELETE("/api/v1/invitations/{id}", { params: { path: { id } } });
      await invitations.refetch();
    });
  return (
    <>
      <SectionHead
        title={t("settings.people")}
        lead={t("settings.people_lead")}
        actions={
          manage && (
            <Button tone="primary" icon={<PlusIcon className="size-4" />} onClick={() => setInviting(true)}>
              {t("settings.invite")}
            </Button>
          )
        }
      />
      {users.isPending && <Skeleton />}
      {users.error !== null && <Problem error={users.error} retry={() => void users.refetch()} />}
      {users.data?.items.length === 0 && <p className="text-sm text-soft">{t("settings.people_none")}</p>}
      {find}
      {shown.length > 0 && (
        <Table
          label={t("settings.people")}
          rows={shown}
          rowKey={({ id }) => id}
          columns={[
            { name: "who", label: t("settings.person"), cell: (user) => <Person user={user} /> },
            { name: "role", label: t("settings.role"), cell: (user) => roleWords(user.role) },
            {
              name: "factor",
              label: t("settings.mfa"),
              wide: true,
              cell: ({ mfa }) => (mfa ? <Badge tone="good">{t("settings.on")}</Badge> : t("settings.off")),
            },
            ...(manage
              ? [
                  {
                    name: "actions",
                    label: t("kit.actions"),
                    end: true,
                    cell: (user: User) => <PersonMenu user={user} changed={() => void users.refetch()} />,
                  },
                ]
              : []),
          ]}
        />
      )}
      {(invitations.data?.items.length ?? 0) > 0 && (
        <>
          <h3 className="mt-6 mb-2 text-sm font-semibold">{t("settings.invitations")}</h3>
          <ul className="flex flex-col gap-2">
            {invitations.data?.items.map(({ id, email, role, expires_at_ms }) => (
              <li
                key={id}
                className="flex flex-wrap items-center gap-3 rounded-xl border border-line px-4 py-2.5 text-sm"
              >
                <span className="min-w-0 flex-1 wrap-anywhere">
                  {email} · {roleWords(role)}
                  <span className="block text-xs text-soft">
                    {t("settings.expires", { time: shortDate(expires_at_ms) })}
                  </span>
                </span>
                {manage && (
                  <Button size="sm" tone="ghost" onClick={() => void withdraw(id)}>
                    {t("settings.withdraw")}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
      {inviting && <Invite onClose={() => setInviting(false)} changed={() => void invitations.refetch()} />}
    </>
  );
}

function Person({ user }: { user: User }) {
  const me = useMe();
  return (
    <span className="block min-w-0">
      <span className="flex flex-wrap items-center gap-2 font-medium">
        {user.name === "" ? user.email : user.name}
        {user.id === me.id && <Badge>{t("settings.you")}</Badge>}
        {!user.active && <Badge tone="warn">{t("settings.inactive")}</Badge>}
      </span>
      <span className="block text-xs text-soft wrap-anywhere">{user.email}</span>
    </span>
  );
}

function PersonMenu({ user, changed }: { user: User; changed: () => void }) {
  const { id: mine } = useMe();
  const [roleOpen, setRoleOpen] = useState(false);
  const [letGo, setLetGo] = useState(false);
  const [role, setRole] = useState(user.role);
  const [token, setToken] = useState<string | null>(null);
  const { busy, run } = useAction();
  const path = { id: user.id };
  const change = async (body: components["schemas"]["UserPatch"]) => {
    const done = await run(() => api.PATCH("/api/v1/users/{id}", { params: { path }, body }));
    if (!done) return;
    toast(t("kit.saved"));
    setRoleOpen(false);
    setLetGo(false);
    changed();
  };
  const chooseRole = () => {
    // The one that they have now, not the one that was looked at last.
    setRole(user.role);
    setRoleOpen(true);
  };
  const reset = () =>
    run(async () => {
      const { data } = await api.POST("/api/v1/users/{id}/password-reset", { params: { path } });
      if (data?.token != null) setToken(data.token);
      else toast(t("settings.link_mailed"));
    });
  const without = (what: "mfa" | "sessions") =>
    run(async () => {
      await api.DELETE(`/api/v1/users/{id}/${what}` as "/api/v1/users/{id}/mfa", { params: { path } });
      toast(t("kit.saved"));
      changed();
    });
  if (user.id === mine) return null;
  return (
    <>
      <Menu
        trigger={
          <IconButton label={t("settings.actions_for", { name: user.email })} size="sm">
            <MoreIcon className="size-4.5" />
          </IconButton>
        }
        items={[
          { label: t("settings.change_role"), onSelect: chooseRole },
          { label: t("settings.reset_password"), onSelect: () => void reset() },
          ...(user.mfa ? [{ label: t("settings.remove_mfa"), onSelect: () => void without("mfa") }] : []),
          { label: t("settings.end_sessions"), onSelect: () => void without("sessions") },
          null,
          user.active
            ? { label: t("settings.let_go"), danger: true, onSelect: () => setLetGo(true) }
            : { label: t("settings.take_back"), onSelect: () => void change({ active: true }) },
        ]}
      />
      <Dialog
        open={roleOpen}
        onClose={() => setRoleOpen(false)}
        title={t("settings.change_role")}
        description={user.email}
      >
        <Select
          label={t("settings.role")}
          hint={wordsOf("role_hints", role)}
          value={role}
          onChange={(event) => setRole(event.target.value)}
          options={roleOptions()}
        />
        <DialogActions>
          <Button tone="primary" busy={busy} onClick={() => void change({ role })}>
            {t("shell.save")}
          </Button>
        </DialogActions>
      </Dialog>
      <Dialog
        open={token !== null}
        onClose={() => setToken(null)}
        title={t("settings.reset_password")}
        description={t("settings.reset_text")}
      >
        <Copyable
          label={t("settings.link")}
          value={`${location.origin}/reset#token=${encodeURIComponent(token ?? "")}`}
        />
      </Dialog>
      <Confirm
        open={letGo}
        title={t("settings.let_go_title", { name: user.name || user.email })}
        action={t("settings.let_go")}
        busy={busy}
        onConfirm={() => void change({ active: false })}
        onClose={() => setLetGo(false)}
      >
        {t("settings.let_go_text")}
      </Confirm>
    </>
  );
}

function Invite({ onClose, changed }: { onClose: () => void; changed: () => void }) {
  const [email, setEmail] = useState("");
  const [role, setRole] = useState("operator");
  const [link, setLink] = useState<string | null>(null);
  const { busy, run } = useAction();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      const { data } = await api.POST("/api/v1/invitations", { body: { email, role } });
      changed();
      if (data?.token == null) {
        toast(t("settings.link_mailed"));
        onClose();
        return;
      }
      setLink(`${location.origin}/invitation#token=${encodeURIComponent(data.token)}`);
    });
  };
  if (link !== null) {
    return (
      <Dialog open onClose={onClose} title={t("settings.invited", { email })} description={t("settings.invited_text")}>
        <Copyable label={t("settings.link")} value={link} />
        <DialogActions>
          <Button tone="primary" onClick={onClose}>
            {t("shell.close")}
          </Button>
        </DialogActions>
      </Dialog>
    );
  }
  return (
    <Dialog open onClose={onClose} title={t("settings.invite")}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label={t("sign_in.email")}
          type="email"
          value={email}
          onChange={(e) => setEmail(e.target.value)}
          required
        />
        <Select
          label={t("settings.role")}
          hint={wordsOf("role_hints", role)}
          value={role}
          onChange={(event) => setRole(event.target.value)}
          options={roleOptions()}
        />
        <DialogActions>
          <Button type="submit" tone="primary" busy={busy}>
            {t("settings.invite")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
