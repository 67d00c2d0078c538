import { type PointerEvent, useEffect, useMemo, useRef, useState } from "react";
import { t, wordsOf } from "../../i18n";
import { CompassIcon, MinusIcon, PlusIcon } from "../../ui/icons";
import { IconButton } from "../../ui/kit/button";
import { type Entity, frameOf, KINDS, layout, type Name, placeNames, type Relation } from "./graph";

const COLORS: Record<string, string> = {
  product: "var(--color-accent)",
  place: "var(--color-stage-transcript)",
  person: "var(--color-stage-first_token)",
  policy: "var(--color-stage-endpoint)",
  price: "var(--color-caller)",
  hours: "var(--color-good)",
  other: "var(--color-faint)",
};
const HEIGHT = 544;
const WIDTH = 720;
const LETTERS_MAX = 26;
const ZOOM_STEP = 1.5;
const ZOOM_MAX = 8;
/** Less is a click with a hand that trembles. */
const DRAG_PX = 5;

export function Dot({ kind }: { kind: string }) {
  return (
    <span
      aria-hidden="true"
      className="size-2.5 shrink-0 rounded-full"
      style={{ background: COLORS[kind] ?? COLORS.other }}
    />
  );
}

interface DrawingProps {
  entities: readonly Entity[];
  relations: readonly Relation[];
  chosen: string | null;
  choose: (id: string | null) => void;
}

/** Things and their relations, to be looked at closer; names that would lie on each other come with more room. */
export function Drawing({ entities, relations, chosen, choose }: DrawingProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const spots = useMemo(() => {
    const links = relations.flatMap(({ subject, object }) => (object == null ? [] : [[subject, object] as const]));
    return layout(
      entities.map(({ id }) => id),
      links,
    );
  }, [entities, relations]);
  const near = useMemo(
    () =>
      new Set(
        relations.flatMap(({ subject, object }) =>
          subject === chosen || object === chosen ? [subject, object ?? ""] : [],
        ),
      ),
    [relations, chosen],
  );
  const { view, zoomBy, showAll, drag } = useView();
  const frame = useMemo(() => frameOf(spots), [spots]);
  const scale = Math.min(width / frame.width, HEIGHT / frame.height) * view.zoom;
  const onScreen = (spot: { x: number; y: number }) => ({
    x: (spot.x - frame.x - frame.width / 2) * scale + width / 2 + view.x,
    y: (spot.y - frame.y - frame.height / 2) * scale + HEIGHT / 2 + view.y,
  });
  const facts = new Map(entities.map((one) => [one.id, one]));
  const names: Name[] = spots.flatMap((spot) => {
    const entity = facts.get(spot.id);
    if (entity === undefined) return [];
    const first = entity.id === chosen ? 2_000_000 : near.has(entity.id) ? 1_000_000 : 0;
    return [
      {
        id: entity.id,
        text: short(entity.name),
        ...onScreen(spot),
        radius: radiusOf(entity),
        rank: first + entity.mentions,
      },
    ];
  });
  const at = new Map(names.map((name) => [name.id, name]));
  const places = placeNames(names, width);
  return (
    <div ref={box} className="relative overflow-hidden rounded-2xl border border-line bg-card max-lg:hidden">
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={t("graph.picture", { count: entities.length })}
        className="block cursor-grab touch-pan-y active:cursor-grabbing"
        {...drag}
      >
        {relations.map((one) => (
          <Tie
            key={one.id}
            one={one}
            from={at.get(one.subject)}
            to={one.object == null ? undefined : at.get(one.object)}
            chosen={chosen}
          />
        ))}
        {names.map(({ id, text, x, y, radius }) => {
          const place = places.get(id);
          const entity = facts.get(id) as Entity;
          const dimmed = chosen !== null && id !== chosen && !near.has(id);
          return (
            // biome-ignore lint/a11y/noStaticElementInteractions: the list beside it does the same by keyboard.
            <g
              key={id}
              data-spot={entity.name}
              opacity={dimmed ? 0.2 : 1}
              className="cursor-pointer"
              onClick={() => choose(id === chosen ? null : id)}
            >
              <title>{entity.name}</title>
              <circle
                cx={x}
                cy={y}
                r={radius}
                fill={COLORS[entity.kind] ?? COLORS.other}
                stroke={id === chosen ? "var(--color-ink)" : "var(--color-card)"}
                strokeWidth="2"
              />
              {place !== undefined && (
                <text x={place.x} y={place.y} textAnchor="middle" fontSize="11.5" fill="var(--color-ink)">
                  {text}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      <div className="absolute top-2 right-2 flex rounded-lg border border-line bg-card shadow-raised">
        <IconButton label={t("flows.zoom_in")} disabled={view.zoom >= ZOOM_MAX} onClick={() => zoomBy(ZOOM_STEP)}>
          <PlusIcon className="size-4" />
        </IconButton>
        <IconButton label={t("flows.zoom_out")} disabled={view.zoom <= 1} onClick={() => zoomBy(1 / ZOOM_STEP)}>
          <MinusIcon className="size-4" />
        </IconButton>
        <IconButton label={t("flows.zoom_all")} onClick={showAll}>
          <CompassIcon className="size-4" />
        </IconButton>
      </div>
      <p className="flex flex-wrap gap-x-4 gap-y-1 border-t border-line px-4 py-2.5 text-xs text-soft">
        {KINDS.map((kind) => (
          <span key={kind} className="flex items-center gap-1.5">
            <Dot kind={kind} />
            {wordsOf("entity_kinds", kind)}
          </span>
        ))}
        {places.size < names.length && (
          <span className="ml-auto" role="status">
            {t("graph.names_hidden", { count: names.length - places.size })}
          </span>
        )}
      </p>
    </div>
  );
}

const short = (name: string) => (name.length > LETTERS_MAX ? `${name.slice(0, LETTERS_MAX - 1)}…` : name);
const radiusOf = ({ mentions }: Entity) => 5 + Math.min(7, Math.sqrt(mentions) * 1.6);

interface TieProps {
  one: Relation;
  from: Name | undefined;
  to: Name | undefined;
  chosen: string | null;
}

function Tie({ one, from, to, chosen }: TieProps) {
  if (from === undefined || to === undefined) return null;
  const on = one.subject === chosen || one.object === chosen;
  return (
    <g opacity={chosen !== null && !on ? 0.15 : 1}>
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
          fontSize="10"
          fill="var(--color-soft)"
        >
          {one.predicate}
        </text>
      )}
    </g>
  );
}

function useWidth(box: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(WIDTH);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(Math.max(1, element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
  return width;
}

const ALL = { zoom: 1, x: 0, y: 0 };

/** What part is looked at: larger and smaller around the middle, and pushed aside with the pointer. */
function useView() {
  const [view, setView] = useState(ALL);
  const from = useRef<{ x: number; y: number; moved: boolean } | null>(null);
  const zoomBy = (by: number) =>
    setView(({ zoom, x, y }) => {
      const next = Math.min(ZOOM_MAX, Math.max(1, zoom * by));
      return next === 1 ? ALL : { zoom: next, x: (x * next) / zoom, y: (y * next) / zoom };
    });
  const drag = {
    onPointerDown: ({ clientX, clientY }: PointerEvent) => {
      from.current = { x: clientX, y: clientY, moved: false };
    },
    onPointerMove: ({ clientX, clientY, currentTarget, pointerId }: PointerEvent) => {
      const start = from.current;
      if (start === null) return;
      const [dx, dy] = [clientX - start.x, clientY - start.y];
      if (!start.moved && Math.hypot(dx, dy) < DRAG_PX) return;
      if (!start.moved) currentTarget.setPointerCapture(pointerId);
      from.current = { x: clientX, y: clientY, moved: true };
      setView(({ zoom, x, y }) => ({ zoom, x: x + dx, y: y + dy }));
    },
    onPointerUp: () => {
      from.current = null;
    },
    onPointerCancel: () => {
      from.current = null;
    },
  };
  return { view, zoomBy, showAll: () => setView(ALL), drag };
}
