import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import type { Call } from "../../api/types";
import { useCan } from "../../auth/me";
import { endedWords, plainWords } from "../../call/words";
import { t, wordsOf } from "../../i18n";
import { download } from "../../lib/download";
import { clock, dollars, fullDate } from "../../ui/format";
import { DownloadIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Badge, type BadgeTone, Card } from "../../ui/kit/page";
import { toastProblem } from "../../ui/kit/toast";
import { StateBadge } from "../calls/call-list";
import { useAgentNames } from "../calls/use-agent-names";
import { Note } from "./note";
import { Shares } from "./shares";

type CallDetail = components["schemas"]["CallDetail"];

/** What there is to know about a call beside its words. */
export function Summary({ detail }: { detail: CallDetail }) {
  return (
    <div className="flex flex-col gap-4">
      <Facts call={detail.call} live={detail.live} />
      <Note id={detail.call.id} />
      <Reading reading={detail.reading} />
      <Costs detail={detail} />
      <Downloads detail={detail} />
      <Shares call={detail.call} />
    </div>
  );
}

function Facts({ call, live }: { call: Call; live: boolean }) {
  const agents = useAgentNames();
  const from = call.answered_at_ms ?? call.started_at_ms;
  const going = t(live ? "call.still_going" : "call.not_ended");
  const facts: [string, ReactNode][] = [
    [t("call.outcome"), <StateBadge key="state" state={call.state} />],
    [t("call.ended"), call.ended_at_ms == null ? going : endedWords(call.ended_reason, "others")],
    [t("call.when"), fullDate(call.started_at_ms)],
    [t("call.lasted"), call.ended_at_ms == null ? going : clock(call.ended_at_ms - from)],
    [t("calls.agent"), <AgentName key="agent" name={agents.get(call.agent)} />],
    [t("calls.direction"), t(call.direction === "inbound" ? "calls.inbound" : "calls.outbound")],
    [t("call.line"), wordsOf("carriers", call.carrier) ?? plainWords(call.carrier)],
    ...(call.number == null ? [] : ([[t("calls.number"), call.number]] as [string, ReactNode][])),
  ];
  return (
    <Card title={t("call.facts")}>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-2 text-sm">
        {facts.map(([name, value]) => (
          <div key={name} className="col-span-2 grid grid-cols-subgrid items-baseline">
            <dt className="text-soft">{name}</dt>
            <dd className="text-right tabular-nums wrap-anywhere">{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function AgentName({ name }: { name: string | undefined }) {
  return name === undefined ? <>–</> : <Link to="/agents">{name}</Link>;
}

const MOODS: Record<string, BadgeTone> = { positive: "good", neutral: "plain", mixed: "warn", negative: "bad" };

/** What a service found out about the customer's words; its shape is its own, so only what is understood is shown. */
function Reading({ reading }: { reading: CallDetail["reading"] }) {
  if (reading == null) return null;
  const { sentiment, language, entities, by } = reading as {
    sentiment?: unknown;
    language?: unknown;
    entities?: unknown;
    by?: unknown;
  };
  const mood = typeof sentiment === "string" ? sentiment : null;
  const readers = typeof by === "object" && by !== null ? [...new Set(Object.values(by).map(String))] : [];
  const named = Array.isArray(entities) ? entities.flatMap(entityText) : [];
  return (
    <Card title={t("call.reading")}>
      <dl className="flex flex-col gap-2 text-sm">
        {mood !== null && (
          <div className="flex items-center justify-between gap-3">
            <dt className="text-soft">{t("call.sentiment")}</dt>
            <dd>
              <Badge tone={MOODS[mood] ?? "plain"}>{wordsOf("moods", mood) ?? plainWords(mood)}</Badge>
            </dd>
          </div>
        )}
        {typeof language === "string" && (
          <div className="flex justify-between gap-3">
            <dt className="text-soft">{t("call.language")}</dt>
            <dd>{languageName(language)}</dd>
          </div>
        )}
        {named.length > 0 && (
          <div>
            <dt className="text-soft">{t("call.named")}</dt>
            <dd className="mt-1.5 flex flex-wrap gap-1.5">
              {[...new Set(named)].map((text) => (
                <Badge key={text}>{text}</Badge>
              ))}
            </dd>
          </div>
        )}
      </dl>
      {readers.length > 0 && (
        <p className="mt-3 text-xs text-soft">{t("call.read_by", { name: readers.join(", ") })}</p>
      )}
    </Card>
  );
}

function entityText(entity: unknown): string[] {
  const text: unknown = typeof entity === "object" && entity !== null ? Reflect.get(entity, "text") : null;
  return typeof text === "string" ? [text] : [];
}

function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames(document.documentElement.lang, { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

function Costs({ detail: { call, costs } }: { detail: CallDetail }) {
  return (
    <Card title={t("call.cost")}>
      <p className="text-lg font-semibold tabular-nums">{dollars(call.cost_usd_micros)}</p>
      {costs.length > 0 && (
        <ul className="mt-2 flex flex-col gap-1 text-[0.8125rem]">
          {costs.map(({ stage, provider, cost_usd_micros }) => (
            <li key={`${stage}:${provider}`} className="flex justify-between gap-3">
              <span className="text-soft">
                {wordsOf("cost_stages", stage) ?? stage} · {provider}
              </span>
              <span className="tabular-nums">{dollars(cost_usd_micros)}</span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Downloads({ detail }: { detail: CallDetail }) {
  const can = useCan();
  const { id } = detail.call;
  const transcript = async () => {
    try {
      const { data } = await api.GET("/api/v1/calls/{id}/transcript", {
        params: { path: { id }, query: { format: "text" } },
        parseAs: "blob",
      });
      download(`call-${id}.txt`, data as unknown as Blob);
    } catch (error) {
      toastProblem(error);
    }
  };
  const trace = () =>
    download(`call-${id}.json`, new Blob([JSON.stringify(detail, null, 2)], { type: "application/json" }));
  const icon = <DownloadIcon className="size-4" />;
  return (
    <Card title={t("call.downloads")}>
      <div className="flex flex-wrap gap-2">
        {detail.call.recorded && can("recordings:read") && (
          <a
            href={`/api/v1/calls/${id}/recording`}
            download={`call-${id}.wav`}
            className="inline-flex h-8 items-center gap-1.5 rounded-lg border border-line bg-card px-2.5 text-sm font-medium hover:bg-sunken"
          >
            {icon}
            {t("call.recording")}
          </a>
        )}
        {detail.packets && can("recordings:read") && (
          <a
            href={`/api/v1/calls/${id}/packets`}
            download={`call-${id}.pcap`}
            className="inline-flex h-8 items-center gap-1.5 rounded-lg border border-line bg-card px-2.5 text-sm font-medium hover:bg-sunken"
          >
            {icon}
            {t("call.packets")}
          </a>
        )}
        <Button size="sm" icon={icon} onClick={() => void transcript()}>
          {t("call.transcript")}
        </Button>
        <Button size="sm" icon={icon} onClick={trace}>
          {t("call.trace")}
        </Button>
      </div>
    </Card>
  );
}
