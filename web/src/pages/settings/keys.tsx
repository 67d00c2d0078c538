import { $api, api } from "../../api/client";
import { t } from "../../i18n";
import { Copyable } from "../../ui/kit/copy";
import { Credentials, type Made } from "./credentials";

const LIMIT = { params: { query: { limit: 100 } } };

/** What an answer without a body would leave to show. */
const NOTHING: Made = { id: "", secret: "" };

/** Keys of the API, and programs that exchange an id and a secret for tokens that live an hour (OAuth 2.0). */
export function KeysSection() {
  return (
    <>
      <Keys />
      <section className="mt-10">
        <Clients />
      </section>
    </>
  );
}

function Keys() {
  return (
    <Credentials
      words={{
        title: t("settings.keys"),
        lead: t("settings.keys_lead"),
        add: t("settings.new_key"),
        none: { title: t("settings.keys_none"), text: t("settings.keys_none_text") },
      }}
      tone="primary"
      mark="key"
      query={$api.useQuery("get", "/api/v1/keys", LIMIT)}
      sign={({ prefix }) => <code className="font-mono text-xs text-soft">{prefix}…</code>}
      create={async (body) => madeOf((await api.POST("/api/v1/keys", { body })).data)}
      rotate={async (id, overlap_secs) => {
        const path = { params: { path: { id } }, body: { overlap_secs } };
        return madeOf((await api.POST("/api/v1/keys/{id}/rotate", path)).data);
      }}
      revoke={(id) => api.DELETE("/api/v1/keys/{id}", { params: { path: { id } } })}
      once={({ secret }) => <Copyable label={t("settings.secret")} value={secret} />}
    />
  );
}

function Clients() {
  return (
    <Credentials
      words={{
        title: t("settings.clients"),
        lead: t("settings.clients_lead"),
        add: t("settings.new_client"),
        none: { title: t("settings.clients_none"), text: t("settings.clients_none_text") },
      }}
      tone="secondary"
      mark="client"
      query={$api.useQuery("get", "/api/v1/clients", LIMIT)}
      sign={({ id }) => <code className="block font-mono text-xs text-soft wrap-anywhere">{id}</code>}
      create={async (body) => madeOf((await api.POST("/api/v1/clients", { body })).data)}
      rotate={async (id, overlap_secs) => {
        const path = { params: { path: { id } }, body: { overlap_secs } };
        return madeOf((await api.POST("/api/v1/clients/{id}/rotate", path)).data);
      }}
      revoke={(id) => api.DELETE("/api/v1/clients/{id}", { params: { path: { id } } })}
      once={({ id, secret }) => (
        <>
          <Copyable label={t("settings.token_url")} value={`${window.location.origin}/api/v1/oauth/token`} />
          <Copyable label="client_id" value={id} />
          <Copyable label="client_secret" value={secret} />
        </>
      )}
    />
  );
}

function madeOf(data: { key: { id: string }; secret: string } | undefined): Made {
  return data === undefined ? NOTHING : { id: data.key.id, secret: data.secret };
}
