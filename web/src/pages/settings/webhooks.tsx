import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t, wordsOf } from "../../i18n";
import { shortDate } from "../../ui/format";
import { PlusIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Check } from "../../ui/kit/check";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, Switch, TextField } from "../../ui/kit/field";
import { Badge, type BadgeTone, Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { SecretOnce } from "./credentials";
import { SectionHead } from "./section";

type Webhook = components["schemas"]["Webhook"];
type Detail = components["schemas"]["DeliveryDetail"];
type State = "pending" | "delivered" | "failed";
const STATE_TONES: Record<string, BadgeTone> = { delivered: "good", failed: "bad", pending: "plain" };
const stateWords = (state: string) => wordsOf("delivery_states", state) ?? state;

export function WebhooksSection() {
  const manage = useCan()("webhooks:manage");
  const hooks = $api.useQuery("get", "/api/v1/webhooks", {});
  const [editing, setEditing] = useState<Webhook | "new" | null>(null);
  const [log, setLog] = useState<Webhook | null>(null);
  const [removing, setRemoving] = useState<Webhook | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const [tested, setTested] = useState<Detail | null>(null);
  const { busy, run } = useAction();
  const remove = () =>
    run(async () => {
      if (removing === null) return;
      await api.DELETE("/api/v1/webhooks/{id}", { params: { path: { id: removing.id } } });
      await hooks.refetch();
      setRemoving(null);
    });
  const test = (id: string) =>
    run(async () =>
      setTested((await api.POST("/api/v1/webhooks/{id}/test", { params: { path: { id } } })).data ?? null),
    );
  const rotate = (id: string) =>
    run(async () => {
      const { data } = await api.POST("/api/v1/webhooks/{id}/rotate", { params: { path: { id } } });
      setSecret(data?.secret ?? null);
    });
  return (
    <>
      <SectionHead
        title={t("settings.webhooks")}
        lead={t("settings.webhooks_lead")}
        actions={
          manage && (
            <Button tone="primary" icon={<PlusIcon className="size-4" />} onClick={() => setEditing("new")}>
              {t("settings.add_webhook")}
            </Button>
          )
        }
      />
      {hooks.isPending && <Skeleton />}
      {hooks.error !== null && <Problem error={hooks.error} retry={() => void hooks.refetch()} />}
      {hooks.data?.items.length === 0 && (
        <Empty title={t("settings.webhooks_none")}>{t("settings.webhooks_none_text")}</Empty>
      )}
      <ul className="flex flex-col gap-2">
        {hooks.data?.items.map((hook) => (
          <li
            key={hook.id}
            data-webhook={hook.url}
            className="rounded-2xl border border-line bg-card px-4 py-3 text-sm"
          >
            <p className="flex flex-wrap items-center gap-2">
              <span className="font-medium wrap-anywhere">{hook.url}</span>
              {!hook.enabled && <Badge tone="warn">{t("settings.switched_off")}</Badge>}
              {hook.failing_since_ms != null && (
                <Badge tone="bad">{t("settings.failing_since", { time: shortDate(hook.failing_since_ms) })}</Badge>
              )}
            </p>
            <p className="text-xs text-soft wrap-anywhere">
              {hook.description !== "" && `${hook.description} · `}
              {hook.kinds.length === 0 ? t("settings.all_kinds") : hook.kinds.join(", ")}
            </p>
            <div className="mt-2 flex flex-wrap gap-2">
              <Button size="sm" onClick={() => setLog(hook)}>
                {t("settings.deliveries")}
              </Button>
              {manage && (
                <>
                  <Button size="sm" disabled={busy} onClick={() => void test(hook.id)}>
                    {t("settings.test")}
                  </Button>
                  <Button size="sm" onClick={() => setEditing(hook)}>
                    {t("kit.edit")}
                  </Button>
                  <Button size="sm" disabled={busy} onClick={() => void rotate(hook.id)}>
                    {t("settings.new_secret")}
                  </Button>
                  <Button size="sm" tone="ghost" onClick={() => setRemoving(hook)}>
                    {t("kit.delete")}
                  </Button>
                </>
              )}
            </div>
          </li>
        ))}
      </ul>
      {editing !== null && (
        <WebhookDialog
          known={editing === "new" ? null : editing}
          kinds={hooks.data?.kinds ?? []}
          onClose={() => setEditing(null)}
          made={(made) => {
            setEditing(null);
            setSecret(made);
            void hooks.refetch();
          }}
        />
      )}
      {log !== null && <Log hook={log} manage={manage} onClose={() => setLog(null)} />}
      {tested !== null && (
        <Dialog open wide onClose={() => setTested(null)} title={t("settings.test")}>
          <Tries delivery={tested} />
        </Dialog>
      )}
      <SecretOnce secret={secret} onClose={() => setSecret(null)} />
      <Confirm
        open={removing !== null}
        title={t("settings.delete_title", { name: removing?.url ?? "" })}
        action={t("kit.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("settings.webhook_delete_text")}
      </Confirm>
    </>
  );
}

function WebhookDialog({
  known,
  kinds,
  onClose,
  made,
}: {
  known: Webhook | null;
  kinds: string[];
  onClose: () => void;
  made: (secret: string | null) => void;
}) {
  const [url, setUrl] = useState(known?.url ?? "");
  const [description, setDescription] = useState(known?.description ?? "");
  const [chosen, setChosen] = useState(known?.kinds ?? []);
  const [enabled, setEnabled] = useState(known?.enabled ?? true);
  const { busy, run } = useAction();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      if (known === null) {
        const { data } = await api.POST("/api/v1/webhooks", { body: { url, description, kinds: chosen } });
        made(data?.secret ?? null);
        return;
      }
      await api.PATCH("/api/v1/webhooks/{id}", {
        params: { path: { id: known.id }, header: { "If-Match": `"${known.version}"` } },
        body: { url, description, kinds: chosen, enabled },
      });
      toast(t("kit.saved"));
      made(null);
    });
  };
  return (
    <Dialog open wide onClose={onClose} title={known === null ? t("settings.add_webhook") : t("kit.edit")}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label={t("settings.url")}
          hint={t("settings.url_hint")}
          type="url"
          placeholder="https://shop.example/hooks/frontdesk"
          value={url}
          onChange={(event) => setUrl(event.target.value)}
          required
        />
        <TextField
          label={t("settings.description")}
          value={description}
          maxLength={200}
          onChange={(e) => setDescription(e.target.value)}
        />
        <fieldset>
          <legend className="text-sm font-medium">{t("settings.kinds")}</legend>
          <p className="mb-2 text-[0.8125rem] text-soft">{t("settings.kinds_hint")}</p>
          <div className="grid max-h-56 gap-x-4 overflow-y-auto sm:grid-cols-2">
            {[...new Set([...kinds, ...chosen])].map((kind) => (
              <Check
                key={kind}
                label={<code className="font-mono text-[0.8125rem]">{kind}</code>}
                checked={chosen.includes(kind)}
                onChange={(on) => setChosen(on ? [...chosen, kind] : chosen.filter((one) => one !== kind))}
              />
            ))}
          </div>
        </fieldset>
        {known !== null && <Switch label={t("settings.on")} checked={enabled} onChange={setEnabled} />}
        <DialogActions>
          <Button type="submit" tone="primary" busy={busy}>
            {t("shell.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function Log({ hook, manage, onClose }: { hook: Webhook; manage: boolean; onClose: () => void }) {
  const [state, setState] = useState<State | "">("");
  const [open, setOpen] = useState<string | null>(null);
  const { busy, run } = useAction();
  const path = { id: hook.id };
  const deliveries = $api.useQuery("get", "/api/v1/webhooks/{id}/deliveries", {
    params: { path, query: { limit: 100, ...(state === "" ? {} : { state }) } },
  });
  const detail = $api.useQuery(
    "get",
    "/api/v1/webhooks/{id}/deliveries/{delivery}",
    { params: { path: { ...path, delivery: open ?? "" } } },
    { enabled: open !== null },
  );
  const replay = (delivery: string) =>
    run(async () => {
      await api.POST("/api/v1/webhooks/{id}/deliveries/{delivery}/replay", { params: { path: { ...path, delivery } } });
      toast(t("settings.replayed", { count: 1 }));
      await deliveries.refetch();
    });
  const replayDay = () =>
    run(async () => {
      const since_ms = Date.now() - 86_400_000;
      const { data } = await api.POST("/api/v1/webhooks/{id}/replay", { params: { path }, body: { since_ms } });
      toast(t("settings.replayed", { count: data?.deliveries ?? 0 }));
      await deliveries.refetch();
    });
  return (
    <Dialog open wide onClose={onClose} title={t("settings.deliveries")} description={hook.url}>
      <div className="mb-3 flex flex-wrap items-end gap-3">
        <div className="w-44">
          <Select
            label={t("settings.state")}
            value={state}
            onChange={(event) => setState(event.target.value as State | "")}
            options={["", "pending", "delivered", "failed"].map((value) => ({
              value,
              label: value === "" ? t("settings.any") : stateWords(value),
            }))}
          />
        </div>
        {manage && (
          <Button busy={busy} onClick={() => void replayDay()}>
            {t("settings.replay_day")}
          </Button>
        )}
      </div>
      {deliveries.isPending && <Skeleton rows={3} />}
      {deliveries.error !== null && <Problem error={deliveries.error} />}
      {deliveries.data?.items.length === 0 && <p className="text-sm text-soft">{t("settings.deliveries_none")}</p>}
      <ul
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        aria-label={t("settings.deliveries")}
        className="flex max-h-[50dvh] flex-col divide-y divide-line overflow-y-auto"
      >
        {deliveries.data?.items.map((one) => (
          <li key={one.id} className="py-2 text-sm">
            <div className="flex flex-wrap items-center gap-2">
              <Badge tone={STATE_TONES[one.state] ?? "plain"}>{stateWords(one.state)}</Badge>
              <code className="font-mono text-xs">{one.kind}</code>
              <span className="flex-1 text-xs text-soft">{shortDate(one.created_at_ms)}</span>
              <Button
                size="sm"
                aria-expanded={open === one.id}
                onClick={() => setOpen(open === one.id ? null : one.id)}
              >
                {t("settings.details")}
              </Button>
              {manage && (
                <Button size="sm" disabled={busy} onClick={() => void replay(one.id)}>
                  {t("settings.replay")}
                </Button>
              )}
            </div>
            {open === one.id && detail.data !== undefined && <Tries delivery={detail.data} />}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

/** What was sent, and every attempt with the beginning of its answer. */
function Tries({ delivery }: { delivery: Detail }) {
  return (
    <div className="mt-2 flex flex-col gap-2 text-sm">
      <pre className="max-h-40 overflow-auto rounded-lg bg-sunken px-3 py-2 font-mono text-xs whitespace-pre-wrap wrap-anywhere">
        {delivery.body}
      </pre>
      {delivery.tries.map((one) => (
        <p key={one.number} className="text-xs">
          <Badge tone={one.failure == null ? "good" : "bad"}>{one.status ?? t("settings.no_answer")}</Badge>{" "}
          {shortDate(one.at_ms)} · {t("tools.took", { ms: one.duration_ms })}
          {one.failure != null && ` · ${one.failure}`}
          {one.answer !== "" && <span className="block font-mono wrap-anywhere text-soft">{one.answer}</span>}
        </p>
      ))}
    </div>
  );
}
