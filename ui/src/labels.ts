/** Finds a place for each condition along its edge where it covers neither a step nor another condition. Pure. */
import { NODE_HEIGHT, NODE_WIDTH, overlap, type Box, type Dot } from "./geometry.ts";

export const LABEL_HEIGHT = 18;
/** Characters of a condition that are drawn; all of it is shown when pointed at. */
const LABEL_TEXT = 25;
const CHARACTER = 6;
const SIGN = 22;
const CLEARANCE = 3;
/** Where along the last stretch of an edge to look first, as parts of it. */
const LAST = [0.8, 0.5, 0.3];
const CELL = 64;

export function labelWidth(text: string): number {
  return SIGN + CHARACTER * Math.min(LABEL_TEXT, text.length) + 6;
}

/** The point at part `t` of the curve that the painter draws from `a` to `b`. */
export function onCurve(a: Dot, b: Dot, t: number, downward: boolean): Dot {
  // Both control points lie half way along the layers, each straight out of its end.
  const across = t * t * (3 - 2 * t);
  const along = 1.5 * t * (1 - t) + t * t * t;
  const mix = (from: number, to: number, part: number) => from + (to - from) * part;
  return downward ? { x: mix(a.x, b.x, across), y: mix(a.y, b.y, along) } : { x: mix(a.x, b.x, along), y: mix(a.y, b.y, across) };
}

/** Centres of the labels, by edge; null for an edge without a condition. */
export function placeLabels(conditions: (string | null)[], routes: Dot[][], nodes: Dot[], downward: boolean): (Dot | null)[] {
  const taken = new Crowd();
  for (const centre of nodes) taken.add(around(centre, NODE_WIDTH, NODE_HEIGHT));
  const places: (Dot | null)[] = conditions.map(() => null);
  // Short edges first: a long one has more places to choose from.
  const edges = Array.from(conditions.keys()).sort((a, b) => routes[a].length - routes[b].length);
  for (const edge of edges) {
    const condition = conditions[edge];
    if (condition === null) continue;
    const width = labelWidth(condition) + 2 * CLEARANCE;
    const spots = candidates(routes[edge], downward);
    const free = spots.find((spot) => !taken.touches(around(spot, width, LABEL_HEIGHT + 2 * CLEARANCE))) ?? spots[0];
    taken.add(around(free, width, LABEL_HEIGHT));
    places[edge] = free;
  }
  return places;
}

function candidates(points: Dot[], downward: boolean): Dot[] {
  const last = points.length - 1;
  const found = LAST.map((t) => onCurve(points[last - 1], points[last], t, downward));
  for (let i = last - 1; i > 0; i--) found.push(onCurve(points[i - 1], points[i], 0.5, downward), points[i]);
  return found;
}

function around(centre: Dot, width: number, height: number): Box {
  return { x: centre.x - width / 2, y: centre.y - height / 2, width, height };
}

/** Boxes by rows of the plane, so that each is compared with its neighbours alone. */
class Crowd {
  private rows = new Map<number, Box[]>();

  add(box: Box): void {
    for (const row of this.across(box)) {
      const boxes = this.rows.get(row);
      if (boxes) boxes.push(box);
      else this.rows.set(row, [box]);
    }
  }

  touches(box: Box): boolean {
    return this.across(box).some((row) => this.rows.get(row)?.some((other) => overlap(box, other)));
  }

  private across(box: Box): number[] {
    const first = Math.floor(box.y / CELL);
    const last = Math.floor((box.y + box.height) / CELL);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }
}
