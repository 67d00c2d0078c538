import { useDeferredValue, useState } from "react";
import { $api } from "../../api/client";
import { t, wordsOf } from "../../i18n";
import { whole } from "../../ui/format";
import { PlusIcon, SearchIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Select } from "../../ui/kit/field";
import { Empty, Problem, Skeleton } from "../../ui/kit/page";
import { Conflicts } from "./conflicts";
import { EntityDialog } from "./entity-dialog";
import { EntityPanel } from "./entity-panel";
import { type Entity, KINDS } from "./graph";
import { Dot, Drawing } from "./graph-drawing";

/** Legible at once; the search finds the others. */
const DRAWN_MAX = 60;

/** What documents name and say of it, and where they contradict each other. */
export function GraphTab({ editable }: { editable: boolean }) {
  const [kind, setKind] = useState("");
  const [typed, setTyped] = useState("");
  const q = useDeferredValue(typed.trim());
  const [chosen, setChosen] = useState<string | null>(null);
  const [adding, setAdding] = useState(false);
  const query = { limit: DRAWN_MAX, ...(kind === "" ? {} : { kind }), ...(q === "" ? {} : { q }) };
  const graph = $api.useQuery(
    "get",
    "/api/v1/knowledge/graph",
    { params: { query } },
    { placeholderData: (before) => before },
  );
  if (graph.isPending) return <Skeleton className="h-24" />;
  if (graph.error !== null) return <Problem error={graph.error} retry={() => void graph.refetch()} />;
  const { entities, relations, entities_total } = graph.data;
  const none = entities.length === 0 && kind === "" && q === "";
  return (
    <>
      <Conflicts editable={editable} />
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <label className="relative block min-w-48 flex-1 sm:max-w-sm">
          <span className="sr-only">{t("graph.find")}</span>
          <SearchIcon className="pointer-events-none absolute top-2.5 left-3 size-4 text-faint" />
          <input
            type="search"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            placeholder={t("graph.find")}
            className="h-9 w-full rounded-lg border border-field bg-card pr-3 pl-9 text-sm placeholder:text-faint"
          />
        </label>
        <Select
          bare
          label={t("graph.kind")}
          value={kind}
          onChange={(event) => setKind(event.target.value)}
          options={[
            { value: "", label: t("graph.all_kinds") },
            ...KINDS.map((value) => ({ value, label: wordsOf("entity_kinds", value) ?? value })),
          ]}
        />
        <span className="text-sm text-soft" role="status">
          {t("graph.shown", { shown: entities.length, total: whole(entities_total) })}
        </span>
        {editable && (
          <Button size="sm" className="ml-auto" icon={<PlusIcon className="size-4" />} onClick={() => setAdding(true)}>
            {t("graph.add")}
          </Button>
        )}
      </div>
      {none ? (
        <Empty title={t("graph.none")}>{t("graph.none_text")}</Empty>
      ) : (
        <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
          <Drawing entities={entities} relations={relations} chosen={chosen} choose={setChosen} />
          <div className="min-w-0">
            {chosen === null ? (
              <EntityList entities={entities} choose={setChosen} />
            ) : (
              <EntityPanel key={chosen} id={chosen} editable={editable} choose={setChosen} others={entities} />
            )}
          </div>
        </div>
      )}
      {adding && <EntityDialog known={null} onClose={() => setAdding(false)} saved={(one) => setChosen(one.id)} />}
    </>
  );
}

/** The same without a picture: for whoever reads, or walks by keyboard. */
function EntityList({ entities, choose }: { entities: readonly Entity[]; choose: (id: string) => void }) {
  return (
    <ul className="max-h-[34rem] overflow-y-auto rounded-2xl border border-line bg-card py-1">
      {entities.map((one) => (
        <li key={one.id}>
          <button
            type="button"
            data-entity={one.name}
            onClick={() => choose(one.id)}
            className="flex w-full items-center gap-2.5 px-3.5 py-2 text-left text-sm hover:bg-sunken"
          >
            <Dot kind={one.kind} />
            <span className="min-w-0 flex-1 truncate font-medium">{one.name}</span>
            <span className="text-xs text-soft tabular-nums">{t("graph.mentions", { count: one.mentions })}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
