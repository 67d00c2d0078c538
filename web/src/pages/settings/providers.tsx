import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t, wordsOf } from "../../i18n";
import { shortDate } from "../../ui/format";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextArea, TextField } from "../../ui/kit/field";
import { useFind } from "../../ui/kit/find";
import { Badge, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { SectionHead } from "./section";

type Provider = components["schemas"]["ProviderView"];
type Result = components["schemas"]["TestResult"];
type ToolSecret = components["schemas"]["ToolCredentialBody"];

export function ProvidersSection() {
  const manage = useCan()("providers:manage");
  const providers = $api.useQuery("get", "/api/v1/providers", {});
  const credentials = $api.useQuery("get", "/api/v1/credentials", {});
  const [setting, setSetting] = useState<string | null>(null);
  const [removing, setRemoving] = useState<{ owner: string; provider: string } | null>(null);
  const { busy, run } = useAction();
  const refresh = async () => void (await Promise.all([providers.refetch(), credentials.refetch()]));
  const remove = () =>
    run(async () => {
      if (removing === null) return;
      await api.DELETE("/api/v1/credentials/{owner}/{provider}", { params: { path: removing } });
      await refresh();
      setRemoving(null);
    });
  const [shown, find] = useFind(providers.data?.items, ({ title, name }) => `${title} ${name}`);
  // What works already stands first; the rest is a catalogue.
  const ordered = shown.sort((a, b) => Number(b.usable) - Number(a.usable));
  const stages = [...new Set(providers.data?.items.map(({ stage }) => stage))].filter((stage) =>
    shown.some((one) => one.stage === stage),
  );
  const titleOf = (name: string) => providers.data?.items.find((one) => one.name === name)?.title ?? name;
  return (
    <>
      <SectionHead title={t("settings.providers")} lead={t("settings.providers_lead")} />
      {providers.isPending && <Skeleton />}
      {providers.error !== null && <Problem error={providers.error} retry={() => void providers.refetch()} />}
      {(credentials.data?.items.length ?? 0) > 0 && (
        <>
          <h3 className="mb-2 text-sm font-semibold">{t("settings.credentials")}</h3>
          <ul className="mb-6 flex flex-col gap-2">
            {credentials.data?.items.map((one) => (
              <li
                key={`${one.owner} ${one.provider}`}
                className="flex flex-wrap items-center gap-3 rounded-2xl border border-line bg-card px-4 py-2.5 text-sm"
              >
                <span className="min-w-0 flex-1 basis-48">
                  <span className="font-medium">{titleOf(one.provider)}</span>{" "}
                  <Badge>{wordsOf("credential_from", one.owner) ?? one.owner}</Badge>
                  <span className="block text-xs text-soft wrap-anywhere">
                    {one.damage ??
                      Object.entries(one.fields)
                        .map(([name, end]) => `${name} ${end}`)
                        .join(", ")}{" "}
                    · {shortDate(one.updated_at_ms)}
                  </span>
                </span>
                {manage && (
                  <>
                    <Button size="sm" onClick={() => setSetting(one.provider)}>
                      {t("settings.replace")}
                      <span className="sr-only">{one.provider}</span>
                    </Button>
                    <Button
                      size="sm"
                      tone="ghost"
                      onClick={() => setRemoving({ owner: one.owner, provider: one.provider })}
                    >
                      {t("kit.delete")}
                      <span className="sr-only">{one.provider}</span>
                    </Button>
                  </>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
      {find}
      {stages.map((stage) => (
        <section key={stage} className="mb-6">
          <h3 className="mb-2 text-sm font-semibold">{wordsOf("agents", `stage_${stage}`) ?? stage}</h3>
          <ul className="flex flex-col divide-y divide-line rounded-2xl border border-line bg-card">
            {ordered
              .filter((one) => one.stage === stage)
              .map((one) => (
                <ProviderRow key={one.name} provider={one} manage={manage} set={() => setSetting(one.name)} />
              ))}
          </ul>
        </section>
      ))}
      <ToolSecrets manage={manage} />
      {setting !== null && (
        <CredentialDialog
          provider={setting}
          title={titleOf(setting)}
          onClose={() => setSetting(null)}
          changed={() => void refresh()}
        />
      )}
      <Confirm
        open={removing !== null}
        title={t("settings.delete_title", { name: removing?.provider ?? "" })}
        action={t("kit.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("settings.credential_delete_text")}
      </Confirm>
    </>
  );
}

function ProviderRow({ provider, manage, set }: { provider: Provider; manage: boolean; set: () => void }) {
  const [result, setResult] = useState<Result | null>(null);
  const { busy, run } = useAction();
  const test = () =>
    run(async () => {
      const path = { stage: provider.stage, name: provider.name };
      const { data } = await api.POST("/api/v1/providers/{stage}/{name}/test", { params: { path }, body: {} as never });
      setResult(data ?? null);
    });
  return (
    <li
      data-provider={`${provider.stage}/${provider.name}`}
      className="flex flex-wrap items-center gap-x-3 gap-y-1.5 px-4 py-2.5 text-sm"
    >
      <span className="min-w-0 flex-1 basis-52">
        <span className="flex flex-wrap items-center gap-2">
          <span className="font-medium">{provider.title}</span>
          {provider.usable ? (
            <Badge tone="good">{t("settings.ready")}</Badge>
          ) : (
            <Badge>{t("settings.not_ready")}</Badge>
          )}
          {provider.switched_off && <Badge tone="warn">{t("settings.switched_off")}</Badge>}
        </span>
        <span className="block text-xs text-soft wrap-anywhere">
          {provider.problem ?? wordsOf("credential_from", provider.credential) ?? provider.credential}
        </span>
        {result !== null && (
          <span role="status" className={`block text-xs ${result.ok ? "text-good" : "text-danger"}`}>
            {result.ok ? t("settings.test_ok", { ms: result.took_ms ?? 0 }) : result.problem}
          </span>
        )}
      </span>
      {manage && (
        <>
          {provider.credential !== "not_needed" && (
            <Button size="sm" onClick={set}>
              {t("settings.set_credential")}
              <span className="sr-only">{provider.title}</span>
            </Button>
          )}
          {provider.usable && (
            <Button size="sm" busy={busy} onClick={() => void test()}>
              {t("settings.test")}
              <span className="sr-only">{provider.title}</span>
            </Button>
          )}
        </>
      )}
    </li>
  );
}

/** `name=value`, one a line, for what a provider needs beside its key. */
export function fieldsOf(key: string, rest: string): Record<string, string> {
  const more = rest.split("\n").flatMap((line) => {
    const at = line.indexOf("=");
    return at > 0 ? [[line.slice(0, at).trim(), line.slice(at + 1).trim()] as const] : [];
  });
  return { ...(key === "" ? {} : { api_key: key }), ...Object.fromEntries(more) };
}

function CredentialDialog({
  provider,
  title,
  onClose,
  changed,
}: {
  provider: string;
  title: string;
  onClose: () => void;
  changed: () => void;
}) {
  const can = useCan();
  const [key, setKey] = useState("");
  const [rest, setRest] = useState("");
  const [owner, setOwner] = useState("business");
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const done = await run(() =>
      api.PUT("/api/v1/credentials/{owner}/{provider}", {
        params: { path: { owner, provider } },
        body: { fields: fieldsOf(key, rest) },
      }),
    );
    if (!done) return;
    toast(t("kit.saved"));
    changed();
    onClose();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("settings.credential_of", { provider: title })}
      description={t("settings.credential_text")}
    >
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <TextField
          label={t("settings.api_key")}
          type="password"
          autoComplete="off"
          value={key}
          onChange={(e) => setKey(e.target.value)}
        />
        <TextArea
          label={t("settings.more_fields")}
          hint={t("settings.more_fields_hint")}
          rows={3}
          spellCheck={false}
          placeholder="region=eu"
          value={rest}
          onChange={(event) => setRest(event.target.value)}
        />
        {can("installation:manage") && (
          <Select
            label={t("settings.credential_owner")}
            value={owner}
            onChange={(event) => setOwner(event.target.value)}
            options={[
              { value: "business", label: t("credential_from.business") },
              { value: "installation", label: t("credential_from.installation") },
            ]}
          />
        )}
        <DialogActions>
          <Button type="submit" tone="primary" busy={busy} disabled={Object.keys(fieldsOf(key, rest)).length === 0}>
            {t("shell.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

/** Secrets of the services that tools ask. */
function ToolSecrets({ manage }: { manage: boolean }) {
  const secrets = $api.useQuery("get", "/api/v1/tool-credentials", {});
  const [adding, setAdding] = useState(false);
  const { busy, run } = useAction();
  const [removing, setRemoving] = useState<string | null>(null);
  const remove = () =>
    run(async () => {
      if (removing === null) return;
      await api.DELETE("/api/v1/tool-credentials/{name}", { params: { path: { name: removing } } });
      await secrets.refetch();
      setRemoving(null);
    });
  return (
    <section>
      <SectionHead
        title={t("settings.tool_secrets")}
        lead={t("settings.tool_secrets_lead")}
        actions={manage && <Button onClick={() => setAdding(true)}>{t("settings.add_secret")}</Button>}
      />
      {secrets.data?.items.length === 0 && <p className="text-sm text-soft">{t("settings.tool_secrets_none")}</p>}
      <ul className="flex flex-col gap-2">
        {secrets.data?.items.map((one) => (
          <li
            key={one.name}
            className="flex items-center gap-3 rounded-2xl border border-line bg-card px-4 py-2.5 text-sm"
          >
            <code className="min-w-0 flex-1 font-mono wrap-anywhere">{one.name}</code>
            <span className="text-soft">{one.kind}</span>
            {manage && (
              <Button size="sm" tone="ghost" onClick={() => setRemoving(one.name)}>
                {t("kit.delete")}
                <span className="sr-only">{one.name}</span>
              </Button>
            )}
          </li>
        ))}
      </ul>
      {adding && <ToolSecretDialog onClose={() => setAdding(false)} changed={() => void secrets.refetch()} />}
      <Confirm
        open={removing !== null}
        title={t("settings.delete_title", { name: removing ?? "" })}
        action={t("kit.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("settings.tool_secret_delete_text")}
      </Confirm>
    </section>
  );
}

function ToolSecretDialog({ onClose, changed }: { onClose: () => void; changed: () => void }) {
  const [name, setName] = useState("");
  const [kind, setKind] = useState<ToolSecret["kind"]>("bearer");
  const [first, setFirst] = useState("");
  const [secret, setSecret] = useState("");
  const { busy, run } = useAction();
  const body = (): ToolSecret => {
    if (kind === "basic") return { kind, user: first, password: secret };
    return kind === "header" ? { kind, header: first, value: secret } : { kind, token: secret };
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const done = await run(() =>
      api.PUT("/api/v1/tool-credentials/{name}", { params: { path: { name } }, body: body() }),
    );
    if (!done) return;
    toast(t("kit.saved"));
    changed();
    onClose();
  };
  return (
    <Dialog open onClose={onClose} title={t("settings.add_secret")}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <TextField label={t("settings.name")} value={name} onChange={(event) => setName(event.target.value)} required />
        <Select
          label={t("settings.secret_kind")}
          value={kind}
          onChange={(event) => setKind(event.target.value as ToolSecret["kind"])}
          options={(["bearer", "basic", "header"] as const).map((value) => ({
            value,
            label: t(`settings.secret_${value}`),
          }))}
        />
        {kind !== "bearer" && (
          <TextField
            label={kind === "basic" ? t("settings.secret_user") : t("settings.secret_header_name")}
            placeholder={kind === "header" ? "x-api-key" : ""}
            value={first}
            onChange={(event) => setFirst(event.target.value)}
            required
          />
        )}
        <TextField
          label={t("settings.secret")}
          type="password"
          autoComplete="off"
          value={secret}
          onChange={(e) => setSecret(e.target.value)}
          required
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
