import type { FormEvent } from "react";
import { $api, api } from "../../api/client";
import { t } from "../../i18n";
import { DraftActions, useDraft } from "../../ui/kit/draft";
import { TextArea } from "../../ui/kit/field";
import { Card, Problem, Skeleton } from "../../ui/kit/page";
import { SectionHead } from "./section";

export function AccessSection() {
  const addresses = $api.useQuery("get", "/api/v1/access/addresses", {});
  const edit = useDraft(addresses.data, {
    formOf: ({ networks }) => networks.join("\n"),
    send: async (text, { version }) => {
      const body = { networks: text.split(/\s+/).filter((one) => one !== ""), ...(version == null ? {} : { version }) };
      return (await api.PUT("/api/v1/access/addresses", { body })).data;
    },
    refetch: addresses.refetch,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void edit?.save();
  };
  return (
    <>
      <SectionHead title={t("settings.access")} lead={t("settings.access_lead")} />
      {addresses.isPending && <Skeleton rows={2} />}
      {addresses.error !== null && <Problem error={addresses.error} retry={() => void addresses.refetch()} />}
      {edit !== null && (
        <Card>
          <form onSubmit={submit} className="flex flex-col gap-4">
            <TextArea
              label={t("settings.networks")}
              hint={t("settings.networks_hint")}
              rows={5}
              spellCheck={false}
              className="font-mono"
              placeholder={"203.0.113.0/24\n2001:db8::/32"}
              value={edit.form}
              onChange={(event) => edit.set(event.target.value)}
            />
            <DraftActions edit={edit} />
          </form>
        </Card>
      )}
    </>
  );
}
