import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan, useMe } from "../../auth/me";
import { t } from "../../i18n";
import { shortDate } from "../../ui/format";
import { PlusIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Check } from "../../ui/kit/check";
import { Copyable } from "../../ui/kit/copy";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { useAction } from "./action";
import { ClientsSection } from "./clients";
import { SectionHead } from "./section";

export type Key = components["schemas"]["KeyView"];
type Wish = components["schemas"]["KeyWish"];
const DAY_MS = 86_400_000;

export function KeysSection() {
  const can = useCan();
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [revoking, setRevoking] = useState<Key | null>(null);
  const [rotating, setRotating] = useState<Key | null>(null);
  const { busy, run } = useAction();
  const keys = $api.useQuery("get", "/api/v1/keys", { params: { query: { limit: 100 } } });
  const manage = can("keys:manage");
  const revoke = () =>
    run(async () => {
      if (revoking === null) return;
      await api.DELETE("/api/v1/keys/{id}", { params: { path: { id: revoking.id } } });
      await keys.refetch();
      toast(t("settings.revoked", { name: revoking.name }));
      setRevoking(null);
    });
  const create = manage && (
    <Button tone="primary" icon={<PlusIcon className="size-4" />} onClick={() => setCreating(true)}>
      {t("settings.new_key")}
    </Button>
  );
  return (
    <>
      <SectionHead title={t("settings.keys")} lead={t("settings.keys_lead")} actions={create} />
      {keys.isPending && <Skeleton />}
      {keys.error !== null && <Problem error={keys.error} retry={() => void keys.refetch()} />}
      {keys.data?.items.length === 0 && <Empty title={t("settings.keys_none")}>{t("settings.keys_none_text")}</Empty>}
      <ul className="flex flex-col gap-2">
        {keys.data?.items.map((key) => (
          <li
            key={key.id}
            data-key={key.name}
            className="flex flex-wrap items-center gap-3 rounded-2xl border border-line bg-card px-4 py-3 text-sm"
          >
            <span className="min-w-0 flex-1 basis-56">
              <span className="font-medium">{key.name}</span>{" "}
              <code className="font-mono text-xs text-soft">{key.prefix}…</code>
              <span className="block text-xs text-soft wrap-anywhere">{key.permissions.join(", ")}</span>
              <span className="block text-xs text-faint">
                {t("settings.used", { time: key.used_at_ms == null ? t("kit.never") : shortDate(key.used_at_ms) })}
                {key.expires_at_ms != null && ` · ${t("settings.expires", { time: shortDate(key.expires_at_ms) })}`}
                {key.previous_until_ms != null &&
                  ` · ${t("settings.old_until", { time: shortDate(key.previous_until_ms) })}`}
              </span>
            </span>
            {manage && (
              <>
                <Button size="sm" onClick={() => setRotating(key)}>
                  {t("settings.rotate")}
                  <span className="sr-only">{key.name}</span>
                </Button>
                <Button size="sm" tone="ghost" onClick={() => setRevoking(key)}>
                  {t("settings.revoke")}
                  <span className="sr-only">{key.name}</span>
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
      {creating && (
        <NewKey
          title={t("settings.new_key")}
          onClose={() => setCreating(false)}
          create={async (body) => {
            const { data } = await api.POST("/api/v1/keys", { body });
            setCreating(false);
            setSecret(data?.secret ?? null);
            void keys.refetch();
          }}
        />
      )}
      <SecretOnce secret={secret} onClose={() => setSecret(null)} />
      {rotating !== null && (
        <RotateDialog
          name={rotating.name}
          onClose={() => setRotating(null)}
          rotate={async (overlap_secs) => {
            const { data } = await api.POST("/api/v1/keys/{id}/rotate", {
              params: { path: { id: rotating.id } },
              body: { overlap_secs },
            });
            setRotating(null);
            setSecret(data?.secret ?? null);
            await keys.refetch();
          }}
        />
      )}
      <Confirm
        open={revoking !== null}
        title={t("settings.revoke_title", { name: revoking?.name ?? "" })}
        action={t("settings.revoke")}
        busy={busy}
        onConfirm={() => void revoke()}
        onClose={() => setRevoking(null)}
      >
        {t("settings.revoke_text")}
      </Confirm>
      <ClientsSection />
    </>
  );
}

/** A secret that nobody can look up later. */
export function SecretOnce({ secret, onClose }: { secret: string | null; onClose: () => void }) {
  return (
    <Dialog
      open={secret !== null}
      onClose={onClose}
      title={t("settings.secret_once")}
      description={t("settings.secret_once_text")}
    >
      <Copyable label={t("settings.secret")} value={secret ?? ""} />
      <DialogActions>
        <Button tone="primary" onClick={onClose}>
          {t("settings.secret_kept")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

/** A new secret, and how long the one before it goes on. */
export function RotateDialog({
  name,
  onClose,
  rotate,
}: {
  name: string;
  onClose: () => void;
  rotate: (overlapSecs: number) => Promise<void>;
}) {
  const [overlap, setOverlap] = useState("86400");
  const { busy, run } = useAction();
  return (
    <Dialog open onClose={onClose} title={t("settings.rotate_title", { name })}>
      <Select
        label={t("settings.overlap")}
        value={overlap}
        onChange={(event) => setOverlap(event.target.value)}
        options={[
          { value: "0", label: t("settings.overlap_none") },
          { value: "3600", label: t("settings.overlap_hour") },
          { value: "86400", label: t("settings.overlap_day") },
          { value: "604800", label: t("settings.overlap_week") },
        ]}
      />
      <DialogActions>
        <Button tone="primary" busy={busy} onClick={() => void run(() => rotate(Number(overlap)))}>
          {t("settings.rotate")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

/** A key or a client: a name, what it may do, and until when. */
export function NewKey({
  title,
  onClose,
  create,
}: {
  title: string;
  onClose: () => void;
  create: (wish: Wish) => Promise<void>;
}) {
  const { permissions } = useMe();
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<string[]>(["calls:read"]);
  const [days, setDays] = useState("");
  const { busy, run } = useAction();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      const expires_at_ms = days === "" ? null : Date.now() + Number(days) * DAY_MS;
      await create({ name, permissions: chosen, expires_at_ms });
    });
  };
  return (
    <Dialog open wide onClose={onClose} title={title}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label={t("settings.key_name")}
          hint={t("settings.key_name_hint")}
          value={name}
          onChange={(event) => setName(event.target.value)}
          maxLength={120}
          required
        />
        <fieldset>
          <legend className="mb-2 text-sm font-medium">{t("settings.permissions")}</legend>
          <div className="grid max-h-64 gap-x-4 overflow-y-auto sm:grid-cols-2">
            {permissions.map((one) => (
              <Check
                key={one}
                label={<code className="font-mono text-[0.8125rem]">{one}</code>}
                checked={chosen.includes(one)}
                onChange={(on) => setChosen(on ? [...chosen, one] : chosen.filter((other) => other !== one))}
              />
            ))}
          </div>
        </fieldset>
        <TextField
          label={t("settings.expiry_days")}
          hint={t("settings.expiry_hint")}
          type="number"
          min={1}
          value={days}
          onChange={(event) => setDays(event.target.value)}
        />
        <DialogActions>
          <Button type="submit" tone="primary" busy={busy} disabled={chosen.length === 0}>
            {title}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
