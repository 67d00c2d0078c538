import { type FormEvent, useState } from "react";
import { api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t } from "../../i18n";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { toast } from "../../ui/kit/toast";
import { refreshJobs, refreshKnowledge } from "./jobs";

export type Site = components["schemas"]["KnowledgeSite"];

const DEPTHS = ["0", "1", "2", "3", "4", "5"];
const HOURS = ["6", "24", "168", "720"] as const;

/** A site whose pages become documents: how far the visit goes, and how often it is repeated. */
export function SiteDialog({ known, onClose }: { known: Site | null; onClose: () => void }) {
  const [url, setUrl] = useState(known?.url ?? "");
  const [pages, setPages] = useState(String(known?.pages_max ?? 100));
  const [depth, setDepth] = useState(String(known?.depth_max ?? 3));
  const [hours, setHours] = useState(known?.every_hours == null ? "" : String(known.every_hours));
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const body = {
      url: url.trim(),
      pages_max: Number(pages),
      depth_max: Number(depth),
      every_hours: hours === "" ? null : Number(hours),
    };
    const done = await run(async () => {
      if (known === null) await api.POST("/api/v1/knowledge/sites", { body });
      else await api.PUT("/api/v1/knowledge/sites/{id}", { params: { path: { id: known.id } }, body });
      toast(known === null ? t("knowledge.site_added") : t("kit.saved"));
      refreshKnowledge();
      refreshJobs();
    });
    if (done) onClose();
  };
  const own = hours !== "" && !HOURS.some((one) => one === hours);
  return (
    <Dialog
      open
      onClose={onClose}
      title={known === null ? t("knowledge.add_site") : t("knowledge.change_site")}
      description={t("knowledge.add_site_lead")}
    >
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <TextField
          label={t("knowledge.site_url")}
          hint={t("knowledge.site_url_hint")}
          type="url"
          placeholder="https://shop.example/help"
          maxLength={2000}
          value={url}
          onChange={(event) => setUrl(event.target.value)}
          required
        />
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label={t("knowledge.pages_max")}
            hint={t("knowledge.pages_max_hint")}
            type="number"
            min={1}
            max={500}
            value={pages}
            onChange={(event) => setPages(event.target.value)}
            required
          />
          <Select
            label={t("knowledge.depth")}
            hint={t("knowledge.depth_hint")}
            value={depth}
            onChange={(event) => setDepth(event.target.value)}
            options={DEPTHS.map((value) => ({ value, label: value === "0" ? t("knowledge.depth_none") : value }))}
          />
        </div>
        <Select
          label={t("knowledge.visits")}
          hint={t("knowledge.visits_hint")}
          value={hours}
          onChange={(event) => setHours(event.target.value)}
          options={[
            { value: "", label: t("knowledge.visits_by_hand") },
            ...HOURS.map((value) => ({ value, label: t(`knowledge.visits_${value}`) })),
            ...(own ? [{ value: hours, label: t("knowledge.visits_hours", { hours: Number(hours) }) }] : []),
          ]}
        />
        <DialogActions>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" tone="primary" busy={busy}>
            {known === null ? t("knowledge.visit_now") : t("shell.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
