import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import { t } from "../../i18n";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { TextArea } from "../../ui/kit/field";
import { Card, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { SectionHead } from "./section";

export function AccessSection() {
  const addresses = $api.useQuery("get", "/api/v1/access/addresses", {});
  const [text, setText] = useState<string | null>(null);
  const { busy, run } = useAction();
  const shown = text ?? addresses.data?.networks.join("\n") ?? "";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      const networks = shown
        .split(/\s+/)
        .map((one) => one.trim())
        .filter((one) => one !== "");
      const version = addresses.data?.version ?? null;
      await api.PUT("/api/v1/access/addresses", { body: { networks, ...(version === null ? {} : { version }) } });
      await addresses.refetch();
      setText(null);
      toast(t("kit.saved"));
    });
  };
  return (
    <>
      <SectionHead title={t("settings.access")} lead={t("settings.access_lead")} />
      {addresses.isPending && <Skeleton rows={2} />}
      {addresses.error !== null && <Problem error={addresses.error} retry={() => void addresses.refetch()} />}
      {addresses.data !== undefined && (
        <Card>
          <form onSubmit={submit} className="flex flex-col gap-4">
            <TextArea
              label={t("settings.networks")}
              hint={t("settings.networks_hint")}
              rows={5}
              spellCheck={false}
              className="font-mono"
              placeholder={"203.0.113.0/24\n2001:db8::/32"}
              value={shown}
              onChange={(event) => setText(event.target.value)}
            />
            <Button type="submit" tone="primary" busy={busy} disabled={text === null} className="self-start">
              {t("shell.save")}
            </Button>
          </form>
        </Card>
      )}
    </>
  );
}
