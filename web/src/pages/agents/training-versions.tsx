import { useEffect, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t } from "../../i18n";
import { percent, shortDate } from "../../ui/format";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Dialog } from "../../ui/kit/dialog";
import { Badge, Card, Problem, Skeleton } from "../../ui/kit/page";
import { Table } from "../../ui/kit/table";
import { toast } from "../../ui/kit/toast";

type Version = components["schemas"]["TrainingVersion"];

/** How well each version tells intents apart, and the way back to one. */
export function TrainingVersions({
  agent,
  serving,
  editable,
  changed,
}: {
  agent: string;
  serving: number;
  editable: boolean;
  changed: () => Promise<void>;
}) {
  const versions = $api.useQuery("get", "/api/v1/agents/{agent}/training/versions", { params: { path: { agent } } });
  const [opened, setOpened] = useState<Version | null>(null);
  const { busy, run } = useAction();
  const items = versions.data?.items ?? [];
  const { refetch } = versions;
  useEffect(() => {
    // A new version that serves brings its row with it.
    if (serving > 0) void refetch();
  }, [serving, refetch]);
  const serve = (version: number) =>
    run(async () => {
      await api.POST("/api/v1/agents/{agent}/training/rollback", { params: { path: { agent } }, body: { version } });
      await changed();
      toast(t("training.serves_again", { version }));
    });
  if (versions.isPending) return <Skeleton rows={2} />;
  if (versions.error !== null) return <Problem error={versions.error} retry={() => void versions.refetch()} />;
  if (items.length === 0) return null;
  return (
    <Card title={t("agents.tab_versions")}>
      <ol className="divide-y divide-line">
        {items.map((one) => (
          <li
            key={one.version}
            data-trained={one.version}
            className="flex flex-wrap items-center gap-x-4 gap-y-2 py-2.5 text-sm first:pt-0 last:pb-0"
          >
            <span className="min-w-0 flex-1 basis-52">
              <span className="flex items-center gap-2 font-medium">
                {t("agents.version", { version: one.version })}
                {one.version === serving && <Badge tone="good">{t("agents.now")}</Badge>}
              </span>
              <span className="text-xs text-soft">
                {shortDate(one.trained_at_ms)} · {t("training.size", { intents: one.intents, examples: one.examples })}
              </span>
            </span>
            <span className="text-right">
              <span className="block font-semibold tabular-nums">
                {one.validated === 0 ? "–" : percent(one.right / one.validated)}
              </span>
              <span className="block text-xs text-soft">{t("training.right")}</span>
            </span>
            <Button size="sm" onClick={() => setOpened(one)}>
              {t("training.confused")}
            </Button>
            {editable && one.version !== serving && (
              <Button size="sm" disabled={busy} onClick={() => void serve(one.version)}>
                {t("agents.rollback")}
              </Button>
            )}
          </li>
        ))}
      </ol>
      {opened !== null && <Confusion version={opened} onClose={() => setOpened(null)} />}
    </Card>
  );
}

function Confusion({ version, onClose }: { version: Version; onClose: () => void }) {
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={t("training.confused")}
      description={t("training.confused_text", {
        right: version.right,
        validated: version.validated,
        lost: version.lost,
      })}
    >
      {version.confused.length === 0 ? (
        <p className="text-sm text-soft">{t("training.confused_none")}</p>
      ) : (
        <Table
          label={t("training.confused")}
          columns={[
            {
              name: "intent",
              label: t("training.intent"),
              cell: (row) => <span className="font-medium">{row.intent}</span>,
            },
            { name: "for", label: t("training.taken_for"), cell: (row) => row.taken_for },
            { name: "count", label: t("training.times"), end: true, cell: (row) => row.count },
          ]}
          rows={version.confused}
          rowKey={({ intent, taken_for }) => `${intent} ${taken_for}`}
        />
      )}
    </Dialog>
  );
}
