import { useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t } from "../../i18n";
import { Button } from "../../ui/kit/button";
import { Copyable } from "../../ui/kit/copy";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, Switch, TextArea, TextField } from "../../ui/kit/field";
import { FormDialog } from "../../ui/kit/form-dialog";
import { toast } from "../../ui/kit/toast";
import { Listed } from "./listed";

type Provider = components["schemas"]["IdentityProvider"];

/** Nobody becomes an owner by signing in. */
const ROLES = ["admin", "supervisor", "operator", "analyst", "developer"] as const;

/** Where people sign in with an account that they have already (OpenID Connect). */
export function IdentityProvidersSection() {
  const providers = $api.useQuery("get", "/api/v1/identity-providers", {});
  const [made, setMade] = useState<Provider | null>(null);
  return (
    <>
      <Listed
        title={t("settings.sign_on")}
        lead={t("settings.sign_on_lead")}
        query={providers}
        none={{ title: t("settings.sign_on_none"), text: t("settings.sign_on_none_text") }}
        idOf={({ id }) => id}
        nameOf={({ name }) => name}
        mark="identity-provider"
        add={{ label: t("settings.add_identity_provider"), tone: "primary" }}
        editable
        row={(one) => (
          <>
            <span className="font-medium">{one.name}</span>
            <span className="block text-xs text-soft wrap-anywhere">{one.discovery_url}</span>
            <span className="block text-xs text-soft">
              {one.join_domains.length === 0
                ? t("settings.joins_nobody")
                : t("settings.joins", {
                    domains: one.join_domains.join(", "),
                    role: t(`roles.${one.join_role as (typeof ROLES)[number]}`),
                  })}
            </span>
          </>
        )}
        actions={(one) => (
          <Button size="sm" onClick={() => setMade(one)}>
            {t("settings.addresses")}
            <span className="sr-only">{one.name}</span>
          </Button>
        )}
        form={(known, close) => (
          <ProviderDialog
            known={known}
            onClose={close}
            saved={(provider) => {
              if (known === null) setMade(provider);
              close();
              void providers.refetch();
            }}
          />
        )}
        remove={{
          label: t("kit.delete"),
          title: (name) => t("settings.delete_title", { name }),
          text: t("settings.identity_provider_delete_text"),
          run: ({ id }) => api.DELETE("/api/v1/identity-providers/{id}", { params: { path: { id } } }),
        }}
      />
      {made !== null && <Addresses provider={made} onClose={() => setMade(null)} />}
    </>
  );
}

/** What the other side has to know, and where its people begin. */
function Addresses({ provider, onClose }: { provider: Provider; onClose: () => void }) {
  const absolute = (address: string) => new URL(address, window.location.origin).href;
  return (
    <Dialog open wide onClose={onClose} title={provider.name} description={t("settings.addresses_text")}>
      <div className="flex flex-col gap-4">
        <Copyable label={t("settings.redirect_url")} value={absolute(provider.redirect_url)} />
        <Copyable label={t("settings.start_url")} value={absolute(provider.start_url)} />
      </div>
      <DialogActions>
        <Button tone="primary" onClick={onClose}>
          {t("shell.close")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

function ProviderDialog({
  known,
  onClose,
  saved,
}: {
  known: Provider | null;
  onClose: () => void;
  saved: (provider: Provider) => void;
}) {
  const [name, setName] = useState(known?.name ?? "");
  const [url, setUrl] = useState(known?.discovery_url ?? "");
  const [client, setClient] = useState(known?.client_id ?? "");
  const [secret, setSecret] = useState("");
  const [issuer, setIssuer] = useState(known?.issuer ?? "");
  const [policy, setPolicy] = useState(known?.policy ?? "");
  const [domains, setDomains] = useState(known?.join_domains.join("\n") ?? "");
  const [role, setRole] = useState(known?.join_role ?? "analyst");
  const [trust, setTrust] = useState(known?.trust_email ?? false);
  const orNull = (text: string) => (text.trim() === "" ? null : text.trim());
  const submit = async () => {
    const body = {
      name: name.trim(),
      discovery_url: url.trim(),
      client_id: client.trim(),
      client_secret: orNull(secret),
      issuer: orNull(issuer),
      policy: orNull(policy),
      join_domains: domains.split(/[\s,]+/).filter((domain) => domain !== ""),
      join_role: role,
      trust_email: trust,
    };
    const { data } =
      known === null
        ? await api.POST("/api/v1/identity-providers", { body })
        : await api.PUT("/api/v1/identity-providers/{id}", { params: { path: { id: known.id } }, body });
    toast(t("kit.saved"));
    if (data !== undefined) saved(data);
  };
  return (
    <FormDialog
      wide
      submit={submit}
      onClose={onClose}
      title={known === null ? t("settings.add_identity_provider") : t("kit.edit")}
      description={t("settings.identity_provider_text")}
    >
      <TextField
        label={t("settings.name")}
        hint={t("settings.identity_provider_name_hint")}
        maxLength={120}
        value={name}
        onChange={(event) => setName(event.target.value)}
        required
      />
      <TextField
        label={t("settings.discovery_url")}
        hint={t("settings.discovery_url_hint")}
        type="url"
        placeholder="https://login.example.com/tenant/v2.0"
        value={url}
        onChange={(event) => setUrl(event.target.value)}
        required
      />
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField
          label={t("settings.client_id")}
          value={client}
          onChange={(event) => setClient(event.target.value)}
          autoComplete="off"
          required
        />
        <TextField
          label={t("settings.client_secret")}
          hint={known === null ? t("settings.client_secret_hint") : t("settings.client_secret_stays")}
          type="password"
          autoComplete="off"
          value={secret}
          onChange={(event) => setSecret(event.target.value)}
        />
      </div>
      <div className="grid gap-4 sm:grid-cols-2">
        <TextArea
          label={t("settings.join_domains")}
          hint={t("settings.join_domains_hint")}
          rows={2}
          spellCheck={false}
          placeholder="shop.example"
          value={domains}
          onChange={(event) => setDomains(event.target.value)}
        />
        <Select
          label={t("settings.join_role")}
          value={role}
          onChange={(event) => setRole(event.target.value)}
          options={ROLES.map((value) => ({ value, label: t(`roles.${value}`) }))}
        />
      </div>
      <details>
        <summary className="text-sm font-medium">{t("settings.more_fields")}</summary>
        <div className="mt-3 flex flex-col gap-4">
          <div className="grid gap-4 sm:grid-cols-2">
            <TextField
              label={t("settings.issuer")}
              hint={t("settings.issuer_hint")}
              value={issuer}
              onChange={(event) => setIssuer(event.target.value)}
            />
            <TextField
              label={t("settings.policy")}
              hint={t("settings.policy_hint")}
              value={policy}
              onChange={(event) => setPolicy(event.target.value)}
            />
          </div>
          <Switch
            label={t("settings.trust_email")}
            hint={t("settings.trust_email_hint")}
            checked={trust}
            onChange={setTrust}
          />
        </div>
      </details>
    </FormDialog>
  );
}
