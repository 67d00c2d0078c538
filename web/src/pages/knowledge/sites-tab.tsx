import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api, api } from "../../api/client";
import { t, wordsOf } from "../../i18n";
import { shortDate } from "../../ui/format";
import { LanguageIcon, MoreIcon, PlusIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button, IconButton } from "../../ui/kit/button";
import { Confirm, Dialog } from "../../ui/kit/dialog";
import { Menu } from "../../ui/kit/menu";
import { Badge, type BadgeTone, Empty, Problem, Skeleton } from "../../ui/kit/page";
import { Progress } from "../../ui/kit/progress";
import { toast } from "../../ui/kit/toast";
import { type Site, SiteDialog } from "./add-site";
import { isActive, type Job, type JobDocument, jobAccepted, refreshKnowledge } from "./jobs";
import { reasonWords } from "./words";
import { shareOf, stageOf } from "./work";

export function SitesTab({ editable, jobs, onAdd }: { editable: boolean; jobs: readonly Job[]; onAdd: () => void }) {
  const sites = $api.useQuery("get", "/api/v1/knowledge/sites", {});
  const [editing, setEditing] = useState<Site | null>(null);
  const [removing, setRemoving] = useState<Site | null>(null);
  const { busy, run } = useAction();
  if (sites.isPending) return <Skeleton />;
  if (sites.error !== null) return <Problem error={sites.error} retry={() => void sites.refetch()} />;
  const add = editable && (
    <Button tone="primary" icon={<PlusIcon className="size-4" />} onClick={onAdd}>
      {t("knowledge.add_site")}
    </Button>
  );
  const remove = () =>
    run(async () => {
      if (removing === null) return;
      await api.DELETE("/api/v1/knowledge/sites/{id}", { params: { path: { id: removing.id } } });
      await sites.refetch();
      toast(t("knowledge.site_removed"));
      setRemoving(null);
    });
  return (
    <>
      {sites.data.items.length === 0 ? (
        <Empty icon={<LanguageIcon />} title={t("knowledge.no_sites")} action={add || undefined}>
          {t("knowledge.no_sites_text")}
        </Empty>
      ) : (
        <ul className="flex flex-col gap-3">
          {sites.data.items.map((site) => (
            <SiteRow
              key={site.id}
              site={site}
              editable={editable}
              listed={jobs.find(({ id }) => id === site.last_job)}
              onEdit={() => setEditing(site)}
              onRemove={() => setRemoving(site)}
            />
          ))}
        </ul>
      )}
      {editing !== null && <SiteDialog known={editing} onClose={() => setEditing(null)} />}
      <Confirm
        open={removing !== null}
        title={t("settings.delete_title", { name: removing?.url ?? "" })}
        action={t("kit.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("knowledge.site_delete_text")}
      </Confirm>
    </>
  );
}

function SiteRow({
  site,
  editable,
  listed,
  onEdit,
  onRemove,
}: {
  site: Site;
  editable: boolean;
  listed: Job | undefined;
  onEdit: () => void;
  onRemove: () => void;
}) {
  const [open, setOpen] = useState(false);
  const { busy, run } = useAction();
  // Jobs of long ago are not in the list of the newest ones.
  const older = $api.useQuery(
    "get",
    "/api/v1/knowledge/jobs/{id}",
    { params: { path: { id: site.last_job ?? "" } } },
    { enabled: listed === undefined && site.last_job != null, retry: false },
  ).data;
  const job = listed ?? older;
  const visiting = job !== undefined && isActive(job);
  const visit = () =>
    run(async () => {
      const { data } = await api.POST("/api/v1/knowledge/sites/{id}/crawl", { params: { path: { id: site.id } } });
      if (data !== undefined) jobAccepted(data);
      refreshKnowledge();
    });
  return (
    <li className="rounded-2xl border border-line bg-card p-4 text-sm" data-site={site.url}>
      <div className="flex flex-wrap items-start gap-3">
        <span className="grid size-9 shrink-0 place-items-center rounded-lg bg-sunken text-soft">
          <LanguageIcon className="size-5" />
        </span>
        <div className="min-w-0 flex-1 basis-56">
          <p className="font-medium wrap-anywhere">{site.url}</p>
          <p className="text-[0.8125rem] text-soft">
            {t("knowledge.site_bounds", { pages: site.pages_max, depth: site.depth_max })} · {rhythmOf(site)}
          </p>
        </div>
        <div className="flex gap-2">
          {job !== undefined && job.documents.length > 0 && (
            <Button size="sm" onClick={() => setOpen(true)}>
              {t("knowledge.pages", { count: job.documents.length })}
            </Button>
          )}
          {editable && (
            <>
              <Button size="sm" busy={busy || visiting} onClick={() => void visit()}>
                {visiting ? t("knowledge.visiting") : t("knowledge.visit_now")}
              </Button>
              <Menu
                trigger={
                  <IconButton label={t("settings.actions_for", { name: site.url })}>
                    <MoreIcon className="size-5" />
                  </IconButton>
                }
                items={[
                  { label: t("knowledge.change_site"), onSelect: onEdit },
                  null,
                  { label: t("kit.delete"), danger: true, onSelect: onRemove },
                ]}
              />
            </>
          )}
        </div>
      </div>
      {job !== undefined && (
        <div className="mt-3 border-t border-line pt-3">
          <LastVisit job={job} />
        </div>
      )}
      {open && job !== undefined && <Pages site={site} job={job} onClose={() => setOpen(false)} />}
    </li>
  );
}

function LastVisit({ job }: { job: Job }) {
  const refused = job.documents.filter(({ state }) => state === "failed").length;
  return (
    <>
      <p className="text-[0.8125rem] text-soft" role="status">
        {job.finished_at_ms != null && `${t("knowledge.last_visit", { time: shortDate(job.finished_at_ms) })} · `}
        {stageOf(job, refused)}
      </p>
      {job.error_code != null && (
        <p className="mt-1 text-[0.8125rem] text-warn wrap-anywhere">{reasonWords(job.error_code, job.error)}</p>
      )}
      {isActive(job) && (
        <div className="mt-2">
          <Progress label={job.source} share={shareOf(job)} />
        </div>
      )}
    </>
  );
}

function rhythmOf(site: Site): string {
  if (site.every_hours == null) return t("knowledge.visits_by_hand");
  const words =
    wordsOf("knowledge", `visits_${site.every_hours}`) ?? t("knowledge.visits_hours", { hours: site.every_hours });
  return site.next_at_ms == null
    ? words
    : `${words}, ${t("knowledge.next_visit", { time: shortDate(site.next_at_ms) })}`;
}

const TONES: Record<string, BadgeTone> = {
  ready: "good",
  unchanged: "plain",
  gone: "warn",
  failed: "bad",
  waiting: "live",
};

/** What became of every page of the last visit. */
function Pages({ site, job, onClose }: { site: Site; job: Job; onClose: () => void }) {
  return (
    <Dialog open wide onClose={onClose} title={t("knowledge.pages_of_visit")} description={site.url}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <section aria-label={t("knowledge.pages_of_visit")} tabIndex={0} className="max-h-[55vh] overflow-y-auto">
        <ul className="divide-y divide-line">
          {job.documents.map((page) => (
            <li key={page.name} className="flex items-start gap-3 py-2 text-sm">
              <span className="min-w-0 flex-1">
                <PageName page={page} />
                {page.state === "failed" && (
                  <span className="block text-xs text-soft wrap-anywhere">
                    {page.error ?? reasonWords(page.error_code, null)}
                  </span>
                )}
              </span>
              <Badge tone={TONES[page.state] ?? "plain"}>
                {wordsOf("knowledge_page_states", page.state) ?? page.state}
              </Badge>
            </li>
          ))}
        </ul>
      </section>
    </Dialog>
  );
}

function PageName({ page }: { page: JobDocument }) {
  const kept = page.state === "ready" || page.state === "unchanged";
  if (!kept || page.document == null) return <span className="wrap-anywhere">{page.name}</span>;
  return (
    <Link to="/knowledge/$document" params={{ document: page.document }} className="wrap-anywhere hover:underline">
      {page.name}
    </Link>
  );
}
