import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { $api } from "../../api/client";
import { useCan } from "../../auth/me";
import { plainWords } from "../../call/words";
import { t, wordsOf } from "../../i18n";
import { useAlerts } from "../../live/use-live";
import { timeOfDay } from "../../ui/format";
import { CheckIcon, WarnIcon } from "../../ui/icons";
import { Card } from "../../ui/kit/page";
import { usePlatforms } from "../settings/platforms";

interface Alert {
  key: string;
  text: string;
  action?: ReactNode;
  at_ms?: number;
}

const LINK = "shrink-0 text-sm font-medium text-accent-deep underline underline-offset-4";

/** What wants somebody's attention, with the way there. */
export function Alerts() {
  const alerts = useAllAlerts();
  return (
    <Card title={t("home.alerts")}>
      {alerts.length === 0 ? (
        <p className="flex items-center gap-2.5 py-1 text-sm text-soft">
          <CheckIcon className="size-4.5 text-good" />
          {t("home.all_well")}
        </p>
      ) : (
        <ul className="flex flex-col divide-y divide-line">
          {alerts.map(({ key, text, action, at_ms }) => (
            <li key={key} className="flex items-start gap-2.5 py-2.5 text-sm first:pt-0 last:pb-0">
              <WarnIcon className="mt-px size-4.5 shrink-0 text-warn" />
              <span className="min-w-0 flex-1 leading-snug wrap-anywhere">
                {text}
                {at_ms !== undefined && <span className="text-soft"> · {timeOfDay(at_ms)}</span>}
              </span>
              {action}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function ToNumbers() {
  return (
    <Link to="/settings/$section" params={{ section: "numbers" }} className={LINK}>
      {t("home.open")}
    </Link>
  );
}

function useAllAlerts(): Alert[] {
  const can = useCan();
  const events = useAlerts();
  const providers = $api.useQuery("get", "/api/v1/providers", {}, { enabled: can("providers:read") }).data;
  const agents = $api.useQuery("get", "/api/v1/agents", {}, { enabled: can("agents:read") }).data;
  const webhooks = $api.useQuery("get", "/api/v1/webhooks", {}, { enabled: can("webhooks:read") }).data;
  const numbers = $api.useQuery("get", "/api/v1/numbers", {}, { enabled: can("numbers:read") }).data;
  const unready = new Map(usePlatforms().flatMap(({ name, title, ready }) => (ready ? [] : [[name, title] as const])));
  return [
    ...(numbers?.items ?? []).flatMap(({ id, number, carrier }): Alert[] => {
      const title = unready.get(carrier);
      if (title === undefined) return [];
      return [{ key: `number:${id}`, text: t("home.number_off", { number, title }), action: <ToNumbers key={id} /> }];
    }),
    ...(providers?.items ?? []).flatMap((provider): Alert[] => {
      const broken = provider.health.find(({ breaker }) => breaker === "open");
      if (broken === undefined) return [];
      const why = broken.last_failure ?? "";
      return [
        {
          key: `provider:${provider.stage}:${provider.name}`,
          text: t("home.provider_down", {
            name: provider.title,
            why: wordsOf("classes", why) ?? plainWords(why),
          }),
        },
      ];
    }),
    ...(webhooks?.items ?? [])
      .filter(({ enabled, disabled_reason }) => !enabled && disabled_reason != null)
      .map(({ id, url }): Alert => ({ key: `webhook:${id}`, text: t("home.webhook_off", { url }) })),
    ...(agents?.items ?? [])
      .filter(({ changed, status }) => changed && status === "enabled")
      .map(
        ({ slug, name }): Alert => ({
          key: `agent:${slug}`,
          text: t("home.unpublished", { name }),
          action: (
            <Link to="/agents/$agent" params={{ agent: slug }} className={LINK}>
              {t("home.open")}
            </Link>
          ),
        }),
      ),
    ...events
      .filter(({ kind }) => kind === "usage.alert")
      .map(
        ({ seq, data, at_ms }): Alert => ({
          key: `event:${seq}`,
          text: t("home.usage_alert", { percent: Number((data as { percent?: number }).percent ?? 0) }),
          at_ms,
        }),
      ),
  ];
}
