import { useDeferredValue, useMemo, useState } from "react";
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
import { type Entity, frameOf, KINDS, layout, type Relation } from "./graph";

/** Legible at once; the search finds the others. */
const DRAWN_MAX = 60;

const COLORS: Record<string, string> = {
  product: "var(--color-accent)",
  place: "var(--color-stage-transcript)",
  person: "var(--color-stage-first_token)",
  policy: "var(--color-stage-endpoint)",
  price: "var(--color-caller)",
  hours: "var(--color-good)",
  other: "var(--color-faint)",
};

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

export function Dot({ kind }: { kind: string }) {
  return (
    <span
      aria-hidden="true"
      className="size-2.5 shrink-0 rounded-full"
      style={{ background: COLORS[kind] ?? COLORS.other }}
    />
  );
}

function Drawing({
  entities,
  relations,
  chosen,
  choose,
}: {
  entities: readonly Entity[];
  relations: readonly Relation[];
  chosen: string | null;
  choose: (id: string | null) => void;
}) {
  const spots = useMemo(
    () =>
      layout(
        entities.map(({ id }) => id),
        relations.flatMap(({ subject, object }) => (object == null ? [] : [[subject, object] as const])),
      ),
    [entities, relations],
  );
  const place = new Map(spots.map((spot) => [spot.id, spot]));
  const frame = frameOf(spots);
  const near = new Set(
    relations.flatMap(({ subject, object }) =>
      subject === chosen || object === chosen ? [subject, object ?? ""] : [],
    ),
  );
  const dimmed = (id: string) => chosen !== null && id !== chosen && !near.has(id);
  return (
    <div className="overflow-hidden rounded-2xl border border-line bg-card max-lg:hidden">
      <svg
        viewBox={`${frame.x} ${frame.y} ${frame.width} ${frame.height}`}
        role="img"
        aria-label={t("graph.picture", { count: entities.length })}
        className="block h-[34rem] w-full"
      >
        {relations.map((one) => {
          const [from, to] = [place.get(one.subject), one.object == null ? undefined : place.get(one.object)];
          if (from === undefined || to === undefined) return null;
          const on = one.subject === chosen || one.object === chosen;
          return (
            <g key={one.id} opacity={chosen !== null && !on ? 0.15 : 1}>
              <line
                x1={from.x}
                y1={from.y}
                x2={to.x}
                y2={to.y}
                stroke={on ? "var(--color-accent)" : "var(--color-line)"}
                strokeWidth={on ? 1.6 : 1.1}
              />
              {on && (
                <text
                  x={(from.x + to.x) / 2}
                  y={(from.y + to.y) / 2 - 3}
                  textAnchor="middle"
                  fontSize="9"
                  fill="var(--color-soft)"
                >
                  {one.predicate}
                </text>
              )}
            </g>
          );
        })}
        {entities.map((one) => {
          const spot = place.get(one.id);
          if (spot === undefined) return null;
          const size = 5 + Math.min(9, Math.sqrt(one.mentions) * 2);
          return (
            // biome-ignore lint/a11y/noStaticElementInteractions: the list beside it does the same by keyboard.
            <g
              key={one.id}
              opacity={dimmed(one.id) ? 0.2 : 1}
              className="cursor-pointer"
              onClick={() => choose(one.id === chosen ? null : one.id)}
            >
              <circle
                cx={spot.x}
                cy={spot.y}
                r={size}
                fill={COLORS[one.kind] ?? COLORS.other}
                stroke={one.id === chosen ? "var(--color-ink)" : "var(--color-card)"}
                strokeWidth="2"
              />
              <text x={spot.x} y={spot.y + size + 11} textAnchor="middle" fontSize="10.500" fill="var(--color-ink)">
                {one.name.length > 26 ? `${one.name.slice(0, 25)}…` : one.name}
              </text>
            </g>
          );
        })}
      </svg>
      <p className="flex flex-wrap gap-x-4 gap-y-1 border-t border-line px-4 py-2.5 text-xs text-soft">
        {KINDS.map((kind) => (
          <span key={kind} className="flex items-center gap-1.5">
            <Dot kind={kind} />
            {wordsOf("entity_kinds", kind)}
          </span>
        ))}
      </p>
    </div>
  );
}
