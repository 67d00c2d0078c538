import { useState } from "react";
import { $api, api } from "../../api/client";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { shortDate } from "../../ui/format";
import { PlusIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Copyable } from "../../ui/kit/copy";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { useAction } from "./action";
import { type Key, NewKey, RotateDialog } from "./keys";
import { SectionHead } from "./section";

interface Shown {
  id: string;
  secret: string;
}

/** Programs that speak OAuth 2.0: they exchange an id and a secret for tokens that live an hour. */
export function ClientsSection() {
  const manage = useCan()("keys:manage");
  const clients = $api.useQuery("get", "/api/v1/clients", { params: { query: { limit: 100 } } });
  const [creating, setCreating] = useState(false);
  const [shown, setShown] = useState<Shown | null>(null);
  const [rotating, setRotating] = useState<Key | null>(null);
  const [revoking, setRevoking] = useState<Key | null>(null);
  const { busy, run } = useAction();
  const revoke = () =>
    run(async () => {
      if (revoking === null) return;
      await api.DELETE("/api/v1/clients/{id}", { params: { path: { id: revoking.id } } });
      await clients.refetch();
      toast(t("settings.revoked", { name: revoking.name }));
      setRevoking(null);
    });
  return (
    <section className="mt-10">
      <SectionHead
        title={t("settings.clients")}
        lead={t("settings.clients_lead")}
        actions={
          manage && (
            <Button icon={<PlusIcon className="size-4" />} onClick={() => setCreating(true)}>
              {t("settings.new_client")}
            </Button>
          )
        }
      />
      {clients.isPending && <Skeleton rows={1} />}
      {clients.error !== null && <Problem error={clients.error} retry={() => void clients.refetch()} />}
      {clients.data?.items.length === 0 && (
        <Empty title={t("settings.clients_none")}>{t("settings.clients_none_text")}</Empty>
      )}
      <ul className="flex flex-col gap-2">
        {clients.data?.items.map((client) => (
          <li
            key={client.id}
            data-client={client.name}
            className="flex flex-wrap items-center gap-3 rounded-2xl border border-line bg-card px-4 py-3 text-sm"
          >
            <span className="min-w-0 flex-1 basis-56">
              <span className="font-medium">{client.name}</span>
              <code className="block font-mono text-xs text-soft wrap-anywhere">{client.id}</code>
              <span className="block text-xs text-soft wrap-anywhere">{client.permissions.join(", ")}</span>
              <span className="block text-xs text-faint">
                {t("settings.used", {
                  time: client.used_at_ms == null ? t("kit.never") : shortDate(client.used_at_ms),
                })}
              </span>
            </span>
            {manage && (
              <>
                <Button size="sm" onClick={() => setRotating(client)}>
                  {t("settings.rotate")}
                  <span className="sr-only">{client.name}</span>
                </Button>
                <Button size="sm" tone="ghost" onClick={() => setRevoking(client)}>
                  {t("settings.revoke")}
                  <span className="sr-only">{client.name}</span>
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
      {creating && (
        <NewKey
          title={t("settings.new_client")}
          onClose={() => setCreating(false)}
          create={async (body) => {
            const { data } = await api.POST("/api/v1/clients", { body });
            setCreating(false);
            setShown(data === undefined ? null : { id: data.key.id, secret: data.secret });
            void clients.refetch();
          }}
        />
      )}
      {rotating !== null && (
        <RotateDialog
          name={rotating.name}
          onClose={() => setRotating(null)}
          rotate={async (overlap_secs) => {
            const { data } = await api.POST("/api/v1/clients/{id}/rotate", {
              params: { path: { id: rotating.id } },
              body: { overlap_secs },
            });
            setRotating(null);
            setShown(data === undefined ? null : { id: data.key.id, secret: data.secret });
            await clients.refetch();
          }}
        />
      )}
      <ClientOnce shown={shown} onClose={() => setShown(null)} />
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
    </section>
  );
}

/** The three things that a program needs; the secret is shown this once. */
function ClientOnce({ shown, onClose }: { shown: Shown | null; onClose: () => void }) {
  return (
    <Dialog
      open={shown !== null}
      wide
      onClose={onClose}
      title={t("settings.secret_once")}
      description={t("settings.secret_once_text")}
    >
      <div className="flex flex-col gap-4">
        <Copyable label={t("settings.token_url")} value={`${window.location.origin}/api/v1/oauth/token`} />
        <Copyable label="client_id" value={shown?.id ?? ""} />
        <Copyable label="client_secret" value={shown?.secret ?? ""} />
      </div>
      <DialogActions>
        <Button tone="primary" onClick={onClose}>
          {t("settings.secret_kept")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
