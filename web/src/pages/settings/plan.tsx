import { useState } from "react";
import { $api, api } from "../../api/client";
import { useCan } from "../../auth/me";
import { t, wordsOf } from "../../i18n";
import { dollars, longTime, whole } from "../../ui/format";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Confirm } from "../../ui/kit/dialog";
import { Badge, Card, Problem, Skeleton } from "../../ui/kit/page";
import { Table } from "../../ui/kit/table";
import { toast } from "../../ui/kit/toast";
import { SectionHead } from "./section";

export function PlanSection() {
  const can = useCan();
  const plans = $api.useQuery("get", "/api/v1/plans", {});
  const subscription = $api.useQuery("get", "/api/v1/subscription", {});
  const usage = $api.useQuery("get", "/api/v1/usage", {});
  const costs = $api.useQuery("get", "/api/v1/costs", {});
  const [wanted, setWanted] = useState<string | null>(null);
  const { busy, run } = useAction();
  const mine = subscription.data?.plan ?? null;
  const change = () =>
    run(async () => {
      if (wanted === null) return;
      await api.PUT("/api/v1/subscription", { body: { plan: wanted } });
      await subscription.refetch();
      setWanted(null);
      toast(t("kit.saved"));
    });
  const limit = (value: number | null | undefined) => (value == null ? t("settings.unlimited") : whole(value));
  return (
    <>
      <SectionHead title={t("settings.plan")} lead={t("settings.plan_lead")} />
      {plans.isPending && <Skeleton />}
      {plans.error !== null && <Problem error={plans.error} retry={() => void plans.refetch()} />}
      <ul className="mb-6 grid gap-3 sm:grid-cols-2">
        {plans.data?.items.map((plan) => (
          <li key={plan.slug} className="flex flex-col gap-2 rounded-2xl border border-line bg-card p-4 text-sm">
            <span className="flex items-center justify-between gap-2">
              <span className="font-medium">{plan.name}</span>
              {plan.slug === mine && <Badge tone="good">{t("settings.your_plan")}</Badge>}
            </span>
            <span className="text-soft">
              {t("settings.plan_price", {
                month: dollars(plan.month_usd_cents * 10_000),
                call: dollars(plan.call_usd_cents * 10_000),
              })}
            </span>
            <span className="flex-1 text-soft">
              {t("settings.plan_limits", { month: limit(plan.calls_month), once: limit(plan.calls_at_once) })}
            </span>
            {can("plan:manage") && plan.slug !== mine && (
              <Button size="sm" className="self-start" onClick={() => setWanted(plan.slug)}>
                {t("settings.choose_plan")}
              </Button>
            )}
          </li>
        ))}
      </ul>
      <h3 className="mb-2 text-sm font-semibold">{t("settings.usage")}</h3>
      {usage.error !== null && <Problem error={usage.error} retry={() => void usage.refetch()} />}
      {usage.data !== undefined && (
        <Table
          label={t("settings.usage")}
          rows={usage.data.items}
          rowKey={({ month }) => month}
          columns={[
            { name: "month", label: t("settings.month"), cell: ({ month }) => month },
            { name: "calls", label: t("shell.calls"), end: true, cell: ({ calls }) => whole(calls) },
            {
              name: "unanswered",
              label: t("settings.unanswered"),
              end: true,
              wide: true,
              cell: (row) => whole(row.calls_unanswered),
            },
            { name: "talk", label: t("settings.talk"), end: true, cell: ({ talk_ms }) => longTime(talk_ms) },
            { name: "cost", label: t("settings.cost"), end: true, cell: (row) => dollars(row.cost_usd_micros) },
          ]}
        />
      )}
      {(costs.data?.by_provider.length ?? 0) > 0 && (
        <Card title={t("settings.costs_now")} className="mt-5">
          <ul className="flex flex-col gap-1.5 text-sm">
            {costs.data?.by_provider.map((one) => (
              <li key={`${one.stage} ${one.provider}`} className="flex justify-between gap-3">
                <span>
                  {one.provider} · {wordsOf("stages", one.stage) ?? one.stage}
                </span>
                <span className="tabular-nums">{dollars(one.cost_usd_micros)}</span>
              </li>
            ))}
          </ul>
        </Card>
      )}
      <Confirm
        open={wanted !== null}
        title={t("settings.plan_confirm")}
        action={t("settings.choose_plan")}
        busy={busy}
        onConfirm={() => void change()}
        onClose={() => setWanted(null)}
      >
        {t("settings.plan_confirm_text")}
      </Confirm>
    </>
  );
}
