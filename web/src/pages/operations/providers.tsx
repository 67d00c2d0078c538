import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { formatMs } from "../../call/latency";
import { plainWords } from "../../call/words";
import { t, wordsOf } from "../../i18n";
import { percent } from "../../ui/format";
import { Button } from "../../ui/kit/button";
import { Confirm } from "../../ui/kit/dialog";
import { Badge, type BadgeTone, Card, Problem, Skeleton } from "../../ui/kit/page";
import { toast, toastProblem } from "../../ui/kit/toast";

type Provider = components["schemas"]["ProviderView"];
type Health = components["schemas"]["HealthView"];
type Switches = components["schemas"]["SwitchesBody"];

const LOOK_MS = 5_000;
const TONES: Record<string, BadgeTone> = { closed: "good", half_open: "warn", open: "bad" };

/** Who serves calls, how each does, and the switches with which somebody is taken out of service while calls run. */
export function ProvidersHealth() {
  const client = useQueryClient();
  const providers = $api.useQuery("get", "/api/v1/providers", {}, { refetchInterval: LOOK_MS });
  const switches = $api.useQuery("get", "/api/v1/providers/switches", {});
  const [asked, setAsked] = useState<Provider | null>(null);
  const put = $api.useMutation("put", "/api/v1/providers/switches", {
    onSuccess: () => {
      toast(t("operations.switched"));
      setAsked(null);
    },
    onError: toastProblem,
    onSettled: () => {
      for (const path of ["/api/v1/providers", "/api/v1/providers/switches"]) {
        void client.invalidateQueries({ queryKey: ["get", path] });
      }
    },
  });
  const turn = (provider: Provider, change: "off" | "on" | "first" | "usual") =>
    put.mutate({ body: changed(switches.data ?? {}, provider, change) });
  const shown = (providers.data?.items ?? []).filter(
    (one) => one.usable || one.switched_off || one.switched_first || one.health.length > 0,
  );
  return (
    <Card title={t("operations.providers")}>
      {providers.isPending && <Skeleton rows={3} />}
      {providers.error !== null && <Problem error={providers.error} retry={() => void providers.refetch()} />}
      <ul className="flex flex-col divide-y divide-line">
        {shown.map((one) => (
          <li
            key={`${one.stage} ${one.name}`}
            data-provider={`${one.stage} ${one.name}`}
            className="flex flex-wrap items-start gap-x-4 gap-y-2 py-3 text-sm first:pt-0 last:pb-0"
          >
            <div className="min-w-0 flex-1 basis-48">
              <span className="font-medium">{one.title}</span>{" "}
              <span className="text-soft">
                {wordsOf("stages", one.stage === "llm" ? "brain" : one.stage) ?? one.stage}
              </span>
              <span className="mt-1 flex flex-wrap gap-1.5">
                {one.switched_off && <Badge tone="bad">{t("operations.off")}</Badge>}
                {one.switched_first && <Badge tone="live">{t("operations.first")}</Badge>}
                {!one.usable && <Badge tone="warn">{t("operations.unusable")}</Badge>}
                {one.health.length === 0 && <Badge>{t("operations.unused")}</Badge>}
              </span>
            </div>
            <div className="min-w-0 flex-2 basis-64">
              {one.health.map((health) => (
                <HealthLine key={`${health.model} ${health.own_account}`} health={health} />
              ))}
            </div>
            <div className="flex gap-2">
              <Button size="sm" busy={put.isPending} onClick={() => turn(one, one.switched_first ? "usual" : "first")}>
                {t(one.switched_first ? "operations.as_usual" : "operations.put_first")}
                <span className="sr-only">{one.title}</span>
              </Button>
              <Button
                size="sm"
                busy={put.isPending}
                onClick={() => (one.switched_off ? turn(one, "on") : setAsked(one))}
              >
                {t(one.switched_off ? "operations.turn_on" : "operations.turn_off")}
                <span className="sr-only">{one.title}</span>
              </Button>
            </div>
          </li>
        ))}
      </ul>
      <Confirm
        open={asked !== null}
        title={t("operations.off_title", { name: asked?.title ?? "" })}
        action={t("operations.turn_off")}
        busy={put.isPending}
        onConfirm={() => asked !== null && turn(asked, "off")}
        onClose={() => setAsked(null)}
      >
        {t("operations.off_text")}
      </Confirm>
    </Card>
  );
}

function HealthLine({ health }: { health: Health }) {
  const { model, own_account, breaker, outcomes, failures, latency_ms, last_failure, last_failure_ago_ms } = health;
  const facts = [
    latency_ms == null ? null : formatMs(latency_ms),
    outcomes === 0 ? null : t("operations.failing", { share: percent(failures / outcomes), count: outcomes }),
    last_failure == null
      ? null
      : t("operations.last_failure", {
          why: wordsOf("classes", last_failure) ?? plainWords(last_failure),
          ago: formatMs(last_failure_ago_ms ?? 0),
        }),
  ];
  return (
    <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-[0.8125rem] leading-relaxed">
      <Badge tone={TONES[breaker] ?? "plain"}>{wordsOf("breakers", breaker) ?? plainWords(breaker)}</Badge>
      <span className="font-mono text-xs">{model}</span>
      {own_account && <span className="text-soft">{t("operations.own_account")}</span>}
      <span className="text-soft">{facts.filter((fact) => fact !== null).join(" · ")}</span>
    </p>
  );
}

/** The switches after one of them was moved; all else stays, and somebody else's change is not overwritten. */
function changed(now: Switches, { stage, name }: Provider, change: "off" | "on" | "first" | "usual"): Switches {
  const off = { ...now.off };
  const first = { ...now.first };
  const others = (off[stage] ?? []).filter((one) => one !== name);
  if (change === "off") off[stage] = [...others, name];
  if (change === "on" || change === "first") off[stage] = others;
  if (change === "first") first[stage] = name;
  if ((change === "usual" || change === "off") && first[stage] === name) delete first[stage];
  return { ...now, off, first };
}
