import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t, wordsOf } from "../../i18n";
import { CloseIcon, MoreIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button, IconButton } from "../../ui/kit/button";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { Menu } from "../../ui/kit/menu";
import { Badge, Card, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { Said } from "./conflicts";
import { EntityDialog } from "./entity-dialog";
import type { Entity, Relation } from "./graph";
import { refreshKnowledge } from "./jobs";

type Detail = components["schemas"]["KnowledgeEntityDetail"];

/** One thing: what is said of it, where it is named, and its corrections. */
export function EntityPanel({
  id,
  editable,
  choose,
  others,
}: {
  id: string;
  editable: boolean;
  choose: (id: string | null) => void;
  others: readonly Entity[];
}) {
  const detail = $api.useQuery("get", "/api/v1/knowledge/entities/{id}", { params: { path: { id } } });
  const [doing, setDoing] = useState<"edit" | "merge" | "delete" | "say" | null>(null);
  const { busy, run } = useAction();
  if (detail.isPending) return <Skeleton rows={3} className="h-16" />;
  if (detail.error !== null) return <Problem error={detail.error} retry={() => void detail.refetch()} />;
  const { entity } = detail.data;
  const close = () => setDoing(null);
  const remove = () =>
    run(async () => {
      await api.DELETE("/api/v1/knowledge/entities/{id}", { params: { path: { id } } });
      choose(null);
      refreshKnowledge(id);
    });
  return (
    <Card>
      <div className="flex items-start gap-2" data-entity-open={entity.name}>
        <div className="min-w-0 flex-1">
          <h2 className="text-[0.9375rem] font-semibold wrap-anywhere">{entity.name}</h2>
          <p className="mt-1 flex flex-wrap gap-1.5">
            <Badge>{wordsOf("entity_kinds", entity.kind) ?? entity.kind}</Badge>
            {entity.origin !== "found" && <Badge tone="live">{t("graph.corrected")}</Badge>}
          </p>
          {entity.aliases.length > 0 && (
            <p className="mt-1.5 text-xs text-soft wrap-anywhere">
              {t("graph.also", { names: entity.aliases.join(", ") })}
            </p>
          )}
        </div>
        {editable && (
          <Menu
            trigger={
              <IconButton size="sm" label={t("settings.actions_for", { name: entity.name })}>
                <MoreIcon className="size-4.5" />
              </IconButton>
            }
            items={[
              { label: t("kit.edit"), onSelect: () => setDoing("edit") },
              { label: t("graph.say"), onSelect: () => setDoing("say") },
              { label: t("graph.merge"), onSelect: () => setDoing("merge") },
              null,
              { label: t("kit.delete"), danger: true, onSelect: () => setDoing("delete") },
            ]}
          />
        )}
        <IconButton size="sm" label={t("shell.close")} onClick={() => choose(null)}>
          <CloseIcon className="size-4" />
        </IconButton>
      </div>
      <Relations detail={detail.data} editable={editable} choose={choose} />
      <Mentions detail={detail.data} />
      {doing === "edit" && <EntityDialog known={entity} onClose={close} saved={() => void detail.refetch()} />}
      {doing === "say" && <SayDialog entity={entity} onClose={close} />}
      {doing === "merge" && <MergeDialog entity={entity} others={others} onClose={close} />}
      <Confirm
        open={doing === "delete"}
        title={t("settings.delete_title", { name: entity.name })}
        action={t("kit.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={close}
      >
        {t("graph.delete_text")}
      </Confirm>
    </Card>
  );
}

function Relations({
  detail: { entity, relations },
  editable,
  choose,
}: {
  detail: Detail;
  editable: boolean;
  choose: (id: string) => void;
}) {
  const { busy, run } = useAction();
  const forget = ({ id }: Relation) =>
    run(async () => {
      await api.DELETE("/api/v1/knowledge/relations/{id}", { params: { path: { id } } });
      refreshKnowledge();
    });
  if (relations.length === 0) return <p className="mt-4 text-sm text-soft">{t("graph.nothing_said")}</p>;
  return (
    <ul className="mt-4 divide-y divide-line border-t border-line">
      {relations.map((one) => {
        const own = one.subject === entity.id;
        const other = own ? one.object : one.subject;
        const name = own ? one.value : one.subject_name;
        return (
          <li key={one.id} className="flex items-start gap-2 py-2.5 text-sm">
            <span className="min-w-0 flex-1">
              <span className="text-soft">
                {own ? "" : "← "}
                {one.negated ? t("graph.not", { predicate: one.predicate }) : one.predicate}
              </span>{" "}
              {other == null ? (
                <span className="font-medium wrap-anywhere">{name}</span>
              ) : (
                <button
                  type="button"
                  className="font-medium text-accent-deep wrap-anywhere hover:underline"
                  onClick={() => choose(other)}
                >
                  {name}
                </button>
              )}
              <Said relation={one} />
            </span>
            {editable && (
              <IconButton
                size="sm"
                label={t("graph.forget", { value: name })}
                disabled={busy}
                onClick={() => void forget(one)}
              >
                <CloseIcon className="size-3.5" />
              </IconButton>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Mentions({ detail: { mentions } }: { detail: Detail }) {
  if (mentions.length === 0) return null;
  return (
    <div className="mt-2 border-t border-line pt-3">
      <h3 className="text-xs font-medium text-soft">{t("graph.named_in")}</h3>
      <ul className="mt-1 flex flex-col gap-1 text-[0.8125rem]">
        {mentions.map((one) => (
          <li key={`${one.document} ${one.heading}`}>
            <Link
              to="/knowledge/$document"
              params={{ document: one.document }}
              className="wrap-anywhere hover:underline"
            >
              {[one.document_title, one.heading].filter((part) => part !== "").join(" › ")}
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}

function SayDialog({ entity, onClose }: { entity: Entity; onClose: () => void }) {
  const [predicate, setPredicate] = useState("");
  const [value, setValue] = useState("");
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const done = await run(async () => {
      const body = { subject: entity.id, predicate: predicate.trim(), value: value.trim() };
      await api.POST("/api/v1/knowledge/relations", { body });
      refreshKnowledge();
    });
    if (done) onClose();
  };
  return (
    <Dialog open onClose={onClose} title={t("graph.say")} description={entity.name}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <TextField
          label={t("graph.predicate")}
          placeholder={t("graph.predicate_placeholder")}
          maxLength={120}
          value={predicate}
          onChange={(event) => setPredicate(event.target.value)}
          required
        />
        <TextField
          label={t("settings.value")}
          maxLength={300}
          value={value}
          onChange={(event) => setValue(event.target.value)}
          required
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

function MergeDialog({ entity, others, onClose }: { entity: Entity; others: readonly Entity[]; onClose: () => void }) {
  const options = others.filter(({ id }) => id !== entity.id);
  const [other, setOther] = useState(options[0]?.id ?? "");
  const { busy, run } = useAction();
  const merge = async () => {
    const done = await run(async () => {
      await api.POST("/api/v1/knowledge/entities/{id}/merge", {
        params: { path: { id: entity.id } },
        body: { ids: [other] },
      });
      refreshKnowledge(other);
      toast(t("graph.merged"));
    });
    if (done) onClose();
  };
  return (
    <Dialog open onClose={onClose} title={t("graph.merge")} description={t("graph.merge_text", { name: entity.name })}>
      <Select
        label={t("graph.the_same_as")}
        value={other}
        onChange={(event) => setOther(event.target.value)}
        options={options.map(({ id, name }) => ({ value: id, label: name }))}
      />
      <DialogActions>
        <Button tone="primary" busy={busy} disabled={other === ""} onClick={() => void merge()}>
          {t("graph.merge")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
