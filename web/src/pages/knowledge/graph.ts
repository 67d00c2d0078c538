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
