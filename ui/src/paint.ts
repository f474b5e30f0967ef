/** Draws the graph on a canvas: what is in view, in as much detail as the scale allows. Keeps no state of its own. */
import { NODE_HEIGHT, NODE_WIDTH, nodeBox, overlap, type Box, type Dot } from "./geometry.ts";
import { LABEL_HEIGHT, labelWidth } from "./labels.ts";
import { LOOKS, SOLID } from "./states.tsx";
import type { State } from "./types.ts";

const RADIUS = 9;
/** Below these scales: no second line, no text at all. */
const FINE = 0.62;
const LEGIBLE = 0.38;

export interface NodeLook {
  id: string;
  state: State;
  /** The line below the id. */
  note: string;
  /** How many items of a map are in each state; null for any other step. */
  counts: [State, number][] | null;
  /** Whether it starts when all others have ended. */
  final: boolean;
}

export interface EdgeLook {
  from: number;
  to: number;
  condition: string | null;
  outcome: "open" | "true" | "false" | "moot";
}

/** One edge's way: from the border of one step, over its bends, to the border of the other. */
export interface Route {
  points: Dot[];
  box: Box;
  /** Centre of the condition; null when there is none. */
  label: Dot | null;
}

export interface Scene {
  nodes: NodeLook[];
  edges: EdgeLook[];
  centres: Dot[];
  routes: Route[];
  /** Whether layers run from top to bottom. */
  downward: boolean;
  selected: string | null;
  hovered: number | null;
}

export interface View {
  x: number;
  y: number;
  scale: number;
  width: number;
  height: number;
}

export type Palette = Record<State | "text" | "muted" | "surface" | "page" | "line" | "accent" | "font", string>;

/** The colours of the current theme, from the style sheet's variables. */
export function palette(element: Element): Palette {
  const style = getComputedStyle(element);
  const names = [...Object.keys(LOOKS), "text", "muted", "surface", "page", "line", "accent"];
  const colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  return { ...colours, font: style.fontFamily } as Palette;
}

const shapes = new Map<State, { stroke: Path2D; fill: Path2D | null }>();

function shape(state: State) {
  let found = shapes.get(state);
  if (!found) {
    const { stroke, fill } = LOOKS[state];
    found = { stroke: new Path2D(stroke), fill: fill ? new Path2D(fill) : null };
    shapes.set(state, found);
  }
  return found;
}

/** Draws `scene` as `view` shows it; `turn` (0 to 1) is how far the marks of running steps have turned. */
export function paint(context: CanvasRenderingContext2D, scene: Scene, view: View, colours: Palette, turn: number): void {
  const ratio = devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  context.translate(view.x, view.y);
  context.scale(view.scale, view.scale);
  const seen = { x: -view.x / view.scale, y: -view.y / view.scale, width: view.width / view.scale, height: view.height / view.scale };
  const painter = new Painter(context, scene, colours, view.scale, turn);
  const edges = scene.edges.map((_, index) => index).filter((index) => overlap(scene.routes[index].box, seen));
  for (const index of edges) painter.edge(index);
  scene.nodes.forEach((_, index) => {
    if (overlap(nodeBox(scene.centres[index]), seen)) painter.node(index);
  });
  for (const index of edges) if (scene.edges[index].condition) painter.condition(index);
}

/** Where an edge's condition is drawn, and may be pointed at. */
export function conditionBox(scene: Scene, index: number, scale: number): Box {
  const centre = scene.routes[index].label!;
  const width = scale < FINE ? LABEL_HEIGHT : labelWidth(scene.edges[index].condition!);
  return { x: centre.x - width / 2, y: centre.y - LABEL_HEIGHT / 2, width, height: LABEL_HEIGHT };
}

const SIGNS = { true: "✓", false: "✕", open: "?", moot: "–" };

class Painter {
  private c: CanvasRenderingContext2D;
  private scene: Scene;
  private colours: Palette;
  private scale: number;
  private turn: number;

  constructor(context: CanvasRenderingContext2D, scene: Scene, colours: Palette, scale: number, turn: number) {
    this.c = context;
    this.scene = scene;
    this.colours = colours;
    this.scale = scale;
    this.turn = turn;
  }

  edge(index: number): void {
    const { c, scene, colours } = this;
    const look = scene.edges[index];
    const { points } = scene.routes[index];
    const dead = look.outcome === "false" || look.outcome === "moot";
    const near = scene.selected !== null && [look.from, look.to].some((end) => scene.nodes[end].id === scene.selected);
    c.strokeStyle = near ? colours.accent : look.outcome === "true" ? colours.muted : colours.line;
    c.lineWidth = (near ? 2 : 1.5) / Math.max(this.scale, 0.5);
    c.setLineDash(dead ? [4, 4] : []);
    c.beginPath();
    c.moveTo(points[0].x, points[0].y);
    for (let i = 1; i < points.length; i++) this.curve(points[i - 1], points[i]);
    c.stroke();
    c.setLineDash([]);
    this.arrow(points[points.length - 1], c.strokeStyle);
  }

  private curve(a: Dot, b: Dot): void {
    if (this.scene.downward) {
      const y = (a.y + b.y) / 2;
      this.c.bezierCurveTo(a.x, y, b.x, y, b.x, b.y);
    } else {
      const x = (a.x + b.x) / 2;
      this.c.bezierCurveTo(x, a.y, x, b.y, b.x, b.y);
    }
  }

  private arrow(tip: Dot, colour: string | CanvasGradient | CanvasPattern): void {
    const { c } = this;
    c.fillStyle = colour;
    c.beginPath();
    c.moveTo(tip.x, tip.y);
    if (this.scene.downward) {
      c.lineTo(tip.x - 4, tip.y - 7);
      c.lineTo(tip.x + 4, tip.y - 7);
    } else {
      c.lineTo(tip.x - 7, tip.y - 4);
      c.lineTo(tip.x - 7, tip.y + 4);
    }
    c.fill();
  }

  node(index: number): void {
    const { c, scene, colours } = this;
    const look = scene.nodes[index];
    const { x, y } = nodeBox(scene.centres[index]);
    const colour = colours[look.state];
    const quiet = look.state === "waiting" || look.state === "skipped" || look.state === "pending";
    if (look.counts) this.card(x + 4, y + 4, colours.surface, colours.line);
    if (look.id === scene.selected) this.halo(x, y);
    this.card(x, y, colours.surface, quiet ? colours.line : colour);
    if (this.scale < LEGIBLE) {
      c.globalAlpha = quiet ? 0.25 : 0.85;
      c.fillStyle = colour;
      c.fill();
      c.globalAlpha = 1;
      return;
    }
    c.globalAlpha = quiet ? 0.05 : 0.11;
    c.fillStyle = colour;
    c.fill();
    c.globalAlpha = 1;
    this.icon(look.state, x + 10, y + NODE_HEIGHT / 2 - 9, 18);
    this.words(look, x + 36, y);
    if (look.counts) this.bar(look.counts, x + 10, y + NODE_HEIGHT - 6, NODE_WIDTH - 20);
  }

  private card(x: number, y: number, fill: string, stroke: string): void {
    const { c } = this;
    c.beginPath();
    c.roundRect(x, y, NODE_WIDTH, NODE_HEIGHT, RADIUS);
    c.fillStyle = fill;
    c.fill();
    c.strokeStyle = stroke;
    c.lineWidth = 1.3 / Math.max(this.scale, 0.5);
    c.stroke();
  }

  private halo(x: number, y: number): void {
    const { c } = this;
    c.beginPath();
    c.roundRect(x - 4, y - 4, NODE_WIDTH + 8, NODE_HEIGHT + 8, RADIUS + 4);
    c.strokeStyle = this.colours.accent;
    c.lineWidth = 2.5 / Math.max(this.scale, 0.5);
    c.stroke();
  }

  private icon(state: State, x: number, y: number, size: number): void {
    const { c, colours } = this;
    const { stroke, fill } = shape(state);
    c.save();
    c.translate(x, y);
    c.scale(size / 16, size / 16);
    c.lineWidth = 1.6;
    c.lineCap = "round";
    c.lineJoin = "round";
    c.fillStyle = colours[state];
    if (fill) c.fill(fill);
    c.strokeStyle = SOLID.has(state) ? colours.surface : colours[state];
    if (state === "running") {
      c.beginPath();
      c.arc(8, 8, 6.5, (this.turn - 0.2) * 2 * Math.PI, (this.turn + 0.55) * 2 * Math.PI);
      c.stroke();
    } else {
      c.stroke(stroke);
    }
    c.restore();
  }

  private words(look: NodeLook, x: number, y: number): void {
    const { c, colours } = this;
    const fine = this.scale >= FINE && look.note !== "";
    const width = NODE_WIDTH - 46;
    c.textBaseline = "middle";
    c.font = `600 13px ${colours.font}`;
    c.fillStyle = look.state === "skipped" ? colours.muted : colours.text;
    c.fillText(this.fitted(look.id, width), x, y + (fine ? (look.counts ? 14 : 16) : NODE_HEIGHT / 2));
    if (!fine) return;
    c.font = `11px ${colours.font}`;
    c.fillStyle = colours.muted;
    c.fillText(this.fitted(look.note, width), x, y + (look.counts ? 29 : 32));
  }

  private bar(counts: [State, number][], x: number, y: number, width: number): void {
    const all = counts.reduce((sum, [, count]) => sum + count, 0);
    let left = x;
    for (const [state, count] of counts) {
      const part = (width * count) / Math.max(1, all);
      this.c.globalAlpha = state === "waiting" ? 0.35 : 1;
      this.c.fillStyle = this.colours[state];
      this.c.fillRect(left, y, Math.max(1, part - 1), 3);
      left += part;
    }
    this.c.globalAlpha = 1;
  }

  condition(index: number): void {
    const { c, scene, colours } = this;
    const { condition, outcome } = scene.edges[index];
    if (this.scale < LEGIBLE) return;
    const box = conditionBox(scene, index, this.scale);
    const colour = outcome === "true" ? colours.succeeded : outcome === "false" ? colours.failed : colours.muted;
    c.beginPath();
    c.roundRect(box.x, box.y, box.width, box.height, LABEL_HEIGHT / 2);
    c.fillStyle = colours.page;
    c.fill();
    c.strokeStyle = scene.hovered === index ? colours.accent : outcome === "open" || outcome === "moot" ? colours.line : colour;
    c.lineWidth = 1.2;
    c.stroke();
    c.fillStyle = colour;
    c.textBaseline = "middle";
    c.font = `600 10.5px ${colours.font}`;
    c.fillText(SIGNS[outcome], box.x + 5, box.y + LABEL_HEIGHT / 2 + 0.5);
    if (this.scale < FINE) return;
    c.fillStyle = outcome === "moot" ? colours.muted : colours.text;
    c.font = `10.5px ${colours.font}`;
    c.fillText(this.fitted(condition!, box.width - 22), box.x + 16, box.y + LABEL_HEIGHT / 2 + 0.5);
  }

  /** `text`, cut with an ellipsis when it is wider than `width`. */
  private fitted(text: string, width: number): string {
    const { c } = this;
    if (c.measureText(text).width <= width) return text;
    let low = 0;
    let high = text.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (c.measureText(text.slice(0, middle) + "…").width <= width) low = middle;
      else high = middle - 1;
    }
    return text.slice(0, low) + "…";
  }
}
