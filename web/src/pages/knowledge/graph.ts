import type { components } from "../../api/schema.gen";

export type Entity = components["schemas"]["KnowledgeEntity"];
export type Relation = components["schemas"]["KnowledgeRelation"];

export const KINDS = ["product", "place", "person", "policy", "price", "hours", "other"] as const;

export interface Spot {
  id: string;
  x: number;
  y: number;
}

const STEPS = 220;
/** Every pair pushes, every relation pulls, and all of it is drawn to the middle. */
const PUSH = 9_000;
const PULL = 0.02;
const LENGTH = 130;
const MIDDLE = 0.012;

/** Where things stand so that what belongs together is near. The same picture comes out the same each time. */
export function layout(ids: readonly string[], links: readonly (readonly [string, string])[]): Spot[] {
  const spots = ids.map((id, index) => {
    // A sunflower: even, and without chance.
    const angle = index * 2.399963;
    const radius = 26 * Math.sqrt(index + 0.5);
    return { id, x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
  });
  const place = new Map(spots.map((spot) => [spot.id, spot]));
  const pairs = links.flatMap(([from, to]) => {
    const [a, b] = [place.get(from), place.get(to)];
    return a === undefined || b === undefined || a === b ? [] : [[a, b] as const];
  });
  for (let step = 0; step < STEPS; step++) {
    const heat = 1 - step / STEPS;
    pushApart(spots, heat);
    for (const [a, b] of pairs) {
      const [dx, dy] = [b.x - a.x, b.y - a.y];
      const far = Math.hypot(dx, dy) || 1;
      const by = ((far - LENGTH) * PULL) / far;
      a.x += dx * by;
      a.y += dy * by;
      b.x -= dx * by;
      b.y -= dy * by;
    }
    for (const spot of spots) {
      spot.x -= spot.x * MIDDLE;
      spot.y -= spot.y * MIDDLE;
    }
  }
  return spots;
}

function pushApart(spots: Spot[], heat: number): void {
  for (let i = 0; i < spots.length; i++) {
    for (let j = i + 1; j < spots.length; j++) {
      const [a, b] = [spots[i], spots[j]];
      if (a === undefined || b === undefined) continue;
      const [dx, dy] = [b.x - a.x, b.y - a.y];
      const far2 = Math.max(64, dx * dx + dy * dy);
      const by = (PUSH / far2 / Math.sqrt(far2)) * heat;
      a.x -= dx * by;
      a.y -= dy * by;
      b.x += dx * by;
      b.y += dy * by;
    }
  }
}

/** What holds all spots, with room for their names. */
export function frameOf(spots: readonly Spot[]): { x: number; y: number; width: number; height: number } {
  const [xs, ys] = [spots.map(({ x }) => x), spots.map(({ y }) => y)];
  const [left, top] = [Math.min(0, ...xs) - 90, Math.min(0, ...ys) - 50];
  return { x: left, y: top, width: Math.max(0, ...xs) + 90 - left, height: Math.max(0, ...ys) + 50 - top };
}

/** A name that wants to stand at its thing. All in pixels of the screen. */
export interface Name {
  id: string;
  text: string;
  x: number;
  y: number;
  /** Radius of the thing's disc. */
  radius: number;
  /** Who gives way to whom. */
  rank: number;
}

/** Where a name stands: the middle of its line, and its baseline. */
export interface NamePlace {
  x: number;
  y: number;
}

const NAME_PX = 11.5;
/** Of the letters of a name, on average, in widths of its size. Devanagari is about as wide. */
const LETTER = 0.56;
const LINE_PX = 14;
/** So many have their names even over another's disc. */
const ALWAYS_NAMED = 8;

interface Rect {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const meets = (a: Rect, b: Rect) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/**
 * Names that lie neither on each other nor on another thing's disc: each tries below, above and to both sides of its thing; what
 * finds no room is left out until there is more of it. The first in rank come first.
 */
export function placeNames(names: readonly Name[], width = Number.POSITIVE_INFINITY): Map<string, NamePlace> {
  const discs = names.map(({ id, x, y, radius }) => ({
    id,
    left: x - radius,
    right: x + radius,
    top: y - radius,
    bottom: y + radius,
  }));
  const taken: Rect[] = [];
  const places = new Map<string, NamePlace>();
  for (const [index, { id, text, x, y, radius }] of names.toSorted((a, b) => b.rank - a.rank).entries()) {
    const half = (text.length * NAME_PX * LETTER) / 2;
    const free = [
      { x, y: y + radius + LINE_PX - 3 },
      { x, y: y - radius - 5 },
      { x: x + radius + 4 + half, y: y + 4 },
      { x: x - radius - 4 - half, y: y + 4 },
    ]
      .map((at) => ({
        at,
        rect: { left: at.x - half - 2, right: at.x + half + 2, top: at.y - LINE_PX + 3, bottom: at.y + 3 },
      }))
      // A name that the edge cuts off is none; what lies beyond the edge altogether is nobody's business.
      .filter(({ rect }) => width === Number.POSITIVE_INFINITY || (rect.left >= 0 && rect.right <= width))
      .filter(({ rect }) => !taken.some((other) => meets(rect, other)));
    const clear = free.find(({ rect }) => !discs.some((disc) => disc.id !== id && meets(rect, disc)));
    const found = clear ?? (index < ALWAYS_NAMED ? free[0] : undefined);
    if (found === undefined) continue;
    taken.push(found.rect);
    places.set(id, found.at);
  }
  return places;
}
