import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t } from "../../i18n";
import { longTime } from "../../ui/format";
import { Button } from "../../ui/kit/button";
import { Confirm } from "../../ui/kit/dialog";
import { Badge, type BadgeTone, Card, Problem, Skeleton } from "../../ui/kit/page";
import { toast, toastProblem } from "../../ui/kit/toast";

type Node = components["schemas"]["Node"];

const LOOK_MS = 5_000;
const TONES: Record<Node["state"], BadgeTone> = { live: "good", will_drain: "warn", draining: "warn", gone: "plain" };
/** From this share on a node is nearly full. */
const NEARLY_FULL = 0.85;

const takesCalls = (node: Node) => node.state === "live" && node.roles.includes("media");

/** Every node, what it carries, and the button that lets it take no new calls. */
export function NodesCard() {
  const client = useQueryClient();
  const nodes = $api.useQuery("get", "/api/v1/operations/nodes", {}, { refetchInterval: LOOK_MS });
  const [asked, setAsked] = useState<Node | null>(null);
  const drain = $api.useMutation("post", "/api/v1/operations/nodes/{node}/drain", {
    onSuccess: (node) => {
      toast(t(node.state === "live" ? "nodes.undrained" : "nodes.drained", { name: node.name }));
      setAsked(null);
    },
    onError: toastProblem,
    onSettled: () => void client.invalidateQueries({ queryKey: ["get", "/api/v1/operations/nodes"] }),
  });
  const turn = (node: Node, on: boolean) => drain.mutate({ params: { path: { node: node.id } }, body: { drain: on } });
  const items = nodes.data?.items ?? [];
  const isLast = asked !== null && items.filter(takesCalls).every(({ id }) => id === asked.id);
  return (
    <Card title={t("nodes.title")}>
      <p className="mb-3 text-[0.8125rem] leading-snug text-soft">{t("nodes.lead")}</p>
      {nodes.isPending && <Skeleton rows={2} />}
      {nodes.error !== null && <Problem error={nodes.error} retry={() => void nodes.refetch()} />}
      <ul className="flex flex-col divide-y divide-line">
        {items.map((node) => (
          <NodeRow
            key={node.id}
            node={node}
            busy={drain.isPending}
            drain={() => setAsked(node)}
            undrain={() => turn(node, false)}
          />
        ))}
      </ul>
      <Confirm
        open={asked !== null}
        title={t("nodes.drain_title", { name: asked?.name ?? "" })}
        action={t("nodes.drain")}
        busy={drain.isPending}
        onConfirm={() => asked !== null && turn(asked, true)}
        onClose={() => setAsked(null)}
      >
        {t("nodes.drain_text", { count: asked?.calls_live ?? 0 })}
        {isLast && ` ${t("nodes.drain_last")}`}
      </Confirm>
    </Card>
  );
}

interface RowProps {
  node: Node;
  busy: boolean;
  drain: () => void;
  undrain: () => void;
}

function NodeRow({ node, busy, drain, undrain }: RowProps) {
  const { name, state, roles, calls_live, calls_max, version, seen_at_ms, is_this } = node;
  const gone = state === "gone";
  const ago = longTime(Math.max(0, Date.now() - seen_at_ms));
  return (
    <li data-node={name} data-node-state={state} className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3 text-sm">
      <div className="min-w-0 flex-1 basis-56">
        <span className="flex flex-wrap items-center gap-1.5">
          <span className={`font-medium wrap-anywhere ${gone ? "text-soft" : ""}`}>{name}</span>
          <Badge tone={TONES[state]}>{t(`nodes.state_${state}`)}</Badge>
          {is_this && <Badge tone="live">{t("nodes.this")}</Badge>}
        </span>
        <span className="mt-0.5 block text-xs text-soft">
          {roles.map((role) => t(`nodes.role_${role}`)).join(", ")} · {t("nodes.version")} {version}
          {state !== "live" && ` · ${t("nodes.seen")} ${t("nodes.seen_ago", { ago })}`}
        </span>
      </div>
      {!gone && roles.includes("media") && <Load live={calls_live} max={calls_max} />}
      {!gone && (
        <Button size="sm" disabled={busy} onClick={state === "live" ? drain : undrain}>
          {t(state === "live" ? "nodes.drain" : "nodes.undrain")}
          <span className="sr-only">{name}</span>
        </Button>
      )}
    </li>
  );
}

function Load({ live, max }: { live: number; max: number }) {
  const share = max === 0 ? 0 : Math.min(1, live / max);
  return (
    <div className="w-36">
      <p className="flex justify-between gap-2 text-xs text-soft">
        {t("nodes.load")}
        <span className="tabular-nums">{t("nodes.load_of", { live, max })}</span>
      </p>
      <div className="mt-1 h-1.5 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
        <div
          className={`h-full rounded-full ${share >= NEARLY_FULL ? "bg-warn" : "bg-accent"}`}
          style={{ width: `${share * 100}%` }}
        />
      </div>
    </div>
  );
}
