import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { shortDate } from "../../ui/format";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { Card, Problem } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import type { AgentDetail } from "./draft";

const FIRST_SHARE = 10;

/** A share of calls gets another version than the published one. */
export function SplitCard({ agent, versions }: { agent: AgentDetail; versions: readonly number[] }) {
  const publish = useCan()("agents:publish");
  const path = { params: { path: { agent: agent.slug } } };
  const query = $api.useQuery("get", "/api/v1/agents/{agent}/split", path);
  const [doing, setDoing] = useState<"set" | "end" | null>(null);
  const { busy, run } = useAction();
  const split = query.data ?? undefined;
  const others = versions.filter((version) => version !== agent.version);
  if (query.error !== null) return <Problem error={query.error} retry={() => void query.refetch()} />;
  if (query.isPending || others.length === 0) return null;
  const end = () =>
    run(async () => {
      await api.DELETE("/api/v1/agents/{agent}/split", path);
      await query.refetch();
      setDoing(null);
    });
  return (
    <Card
      title={t("splits.title")}
      className="mb-4"
      actions={
        publish && (
          <span className="flex gap-2">
            <Button size="sm" onClick={() => setDoing("set")}>
              {split === undefined ? t("splits.start") : t("splits.change")}
            </Button>
            {split !== undefined && (
              <Button size="sm" tone="ghost" onClick={() => setDoing("end")}>
                {t("splits.end")}
              </Button>
            )}
          </span>
        )
      }
    >
      {split === undefined ? (
        <p className="max-w-prose text-sm leading-relaxed text-soft">
          {t("splits.text")} {t("splits.none", { version: agent.version ?? 0 })}
        </p>
      ) : (
        <div data-split={split.version}>
          <p className="text-sm">
            {t("splits.running", {
              share: split.share_percent,
              version: split.version,
              published: split.published_version,
            })}{" "}
            <span className="text-soft">{t("splits.since", { time: shortDate(split.set_at_ms) })}</span>
          </p>
          <div className="mt-3 flex h-2 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
            <span className="bg-caller" style={{ width: `${split.share_percent}%` }} />
            <span className="flex-1 bg-accent" />
          </div>
          <p className="mt-3 flex flex-wrap gap-x-4 gap-y-1 text-sm">
            {[split.version, split.published_version].map((version) => (
              <Link
                key={version}
                to="/calls"
                search={{ agent: agent.id, agent_version: version }}
                className="font-medium text-accent-deep underline underline-offset-4"
              >
                {t("splits.compare", { version })}
              </Link>
            ))}
          </p>
        </div>
      )}
      {doing === "set" && (
        <SplitDialog
          agent={agent}
          others={others}
          known={split ?? null}
          onClose={() => setDoing(null)}
          saved={() => void query.refetch()}
        />
      )}
      <Confirm
        open={doing === "end"}
        title={t("splits.end_title")}
        action={t("splits.end")}
        busy={busy}
        onConfirm={() => void end()}
        onClose={() => setDoing(null)}
      >
        {t("splits.end_text", { version: agent.version ?? 0 })}
      </Confirm>
    </Card>
  );
}

function SplitDialog({
  agent,
  others,
  known,
  onClose,
  saved,
}: {
  agent: AgentDetail;
  others: readonly number[];
  known: { version: number; share_percent: number; by: "customer" | "call" } | null;
  onClose: () => void;
  saved: () => void;
}) {
  const [version, setVersion] = useState(String(known?.version ?? others[0] ?? ""));
  const [share, setShare] = useState(String(known?.share_percent ?? FIRST_SHARE));
  const [by, setBy] = useState(known?.by ?? "customer");
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const body = { version: Number(version), share_percent: Number(share), by };
    const done = await run(async () => {
      await api.PUT("/api/v1/agents/{agent}/split", { params: { path: { agent: agent.slug } }, body });
      saved();
      toast(t("splits.saved"));
    });
    if (done) onClose();
  };
  return (
    <Dialog open onClose={onClose} title={t("splits.title")} description={t("splits.text")}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <Select
          label={t("splits.version")}
          value={version}
          onChange={(event) => setVersion(event.target.value)}
          options={others.map((one) => ({ value: String(one), label: t("agents.version", { version: one }) }))}
        />
        <TextField
          label={t("splits.share")}
          type="number"
          min={1}
          max={99}
          value={share}
          onChange={(event) => setShare(event.target.value)}
          required
        />
        <Select
          label={t("splits.by")}
          value={by}
          onChange={(event) => setBy(event.target.value as "customer")}
          options={(["customer", "call"] as const).map((value) => ({ value, label: t(`splits.by_${value}`) }))}
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
