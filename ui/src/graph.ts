/**
 * The graph of a run: layout, view (pan, zoom, fit) and pointing. `paint.ts` draws it.
 *
 * Deliberately not a component: it owns its canvas and is told what changed. Keyboard and screen readers use the
 * tree beside it, which shows the same steps.
 */
import { NODE_HEIGHT, NODE_WIDTH, nodeBox, within, type Dot } from "./geometry.ts";
import { placeLabels } from "./labels.ts";
import { layout, type Layout } from "./layout.ts";
import {
  conditionBox,
  paint,
  palette,
  type EdgeLook,
  type NodeLook,
  type Palette,
  type Route,
  type Scene,
  type View,
} from "./paint.ts";

const MARGIN = 28;
const MIN_SCALE = 0.02;
const MAX_SCALE = 2;
const FIT_MAX = 1;
/** When everything would be shown smaller than this, the first view shows a part instead, in a size to be read. */
const SMALLEST_FIRST = 0.5;
const FIRST = 0.64;
/** A plan of more steps is shown whole: the pattern of colours then says more than any part of it. */
const MANY = 300;
/** The first view of a large plan is on the first step in the first of these states that there is. */
const TELLING = ["failed", "held", "running", "retrying", "queued"];
const FRAME_MS = 90;
const CLICK_SLACK = 5;

export interface Pointed {
  edge: number;
  x: number;
  y: number;
}

export interface Listener {
  onSelect(id: string): void;
  /** The condition pointed at, with its place on the canvas; null when there is none any more. */
  onPoint(pointed: Pointed | null): void;
}

export class GraphView {
  private canvas: HTMLCanvasElement;
  private context: CanvasRenderingContext2D;
  private listener: Listener;
  private scene: Scene = { nodes: [], edges: [], centres: [], routes: [], downward: true, selected: null, hovered: null };
  private view: View = { x: 0, y: 0, scale: 1, width: 0, height: 0 };
  private extent = { width: 0, height: 0 };
  private structure = "";
  private colours: Palette;
  /** What a change of size brings back: the first view, everything, or nothing once someone has moved it. */
  private posture: "first" | "all" | "own" = "first";
  private frame = 0;
  private beat: ReturnType<typeof setTimeout> | undefined;
  private pointers = new Map<number, Dot>();
  private travelled = 0;
  private ending = new AbortController();
  private observer: ResizeObserver;
  private still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(canvas: HTMLCanvasElement, listener: Listener) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d")!;
    this.listener = listener;
    this.colours = palette(canvas);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas);
    const signal = this.ending.signal;
    canvas.addEventListener("pointerdown", (event) => this.down(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.move(event), { signal });
    canvas.addEventListener("pointerup", (event) => this.up(event), { signal });
    canvas.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId), { signal });
    canvas.addEventListener("pointerleave", () => this.point(null), { signal });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour(), { signal });
  }

  destroy(): void {
    this.ending.abort();
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.beat);
  }

  /** Shows these steps and edges; the layout is made anew only when the plan is another one. */
  show(nodes: NodeLook[], edges: EdgeLook[]): void {
    const structure = JSON.stringify([nodes.map((node) => node.id), edges.map((edge) => [edge.from, edge.to])]);
    this.scene.nodes = nodes;
    this.scene.edges = edges;
    if (structure !== this.structure) {
      this.structure = structure;
      this.posture = "first";
      this.arrange(this.better());
    }
    this.draw();
  }

  select(id: string | null): void {
    this.scene.selected = id;
    const index = this.scene.nodes.findIndex((node) => node.id === id);
    if (index >= 0 && this.view.width > 0) this.reveal(this.scene.centres[index]);
    this.draw();
  }

  /** Shows everything. */
  fit(): void {
    this.posture = "all";
    this.showAll();
  }

  private showFirst(): void {
    const { nodes, centres } = this.scene;
    if (!this.view.width || nodes.length === 0) return;
    const scale = this.fitting(this.extent.width, this.extent.height);
    if (scale >= SMALLEST_FIRST || nodes.length > MANY) {
      this.showAll();
      return;
    }
    const telling = TELLING.map((state) => nodes.findIndex((node) => node.state === state)).find((index) => index >= 0);
    const { width, height } = this.view;
    this.view = { ...this.view, scale: FIRST };
    this.centre(centres[telling ?? 0]);
    // Not past the edge where the plan begins.
    const side = (value: number, extent: number, room: number) =>
      extent * FIRST < room - 2 * MARGIN ? (room - extent * FIRST) / 2 : Math.min(MARGIN, Math.max(value, room - MARGIN - extent * FIRST));
    this.view = { ...this.view, x: side(this.view.x, this.extent.width, width), y: side(this.view.y, this.extent.height, height) };
    this.draw();
  }

  private showAll(): void {
    const { width, height } = this.view;
    if (!width || !this.extent.width) return;
    const scale = this.fitting(this.extent.width, this.extent.height);
    this.view = {
      ...this.view,
      scale,
      x: (width - this.extent.width * scale) / 2,
      y: Math.max(MARGIN * scale, (height - this.extent.height * scale) / 2),
    };
    this.draw();
  }

  zoom(factor: number, at: Dot = { x: this.view.width / 2, y: this.view.height / 2 }): void {
    const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, this.view.scale * factor));
    const ratio = scale / this.view.scale;
    this.view = { ...this.view, scale, x: at.x - (at.x - this.view.x) * ratio, y: at.y - (at.y - this.view.y) * ratio };
    this.posture = "own";
    this.draw();
  }

  /** Lets the layers run the other way: downward or to the right. */
  turn(): void {
    this.arrange(!this.scene.downward);
  }

  private arrange(downward: boolean): void {
    const placed = this.placed(downward);
    const dot = (point: { across: number; along: number }): Dot =>
      downward ? { x: point.across, y: point.along } : { x: point.along, y: point.across };
    this.scene.downward = downward;
    this.scene.centres = placed.nodes.map(dot);
    const routes = this.scene.edges.map((edge, index) => this.route(edge, placed.bends[index].map(dot)));
    const conditions = this.scene.edges.map((edge) => edge.condition);
    const labels = placeLabels(conditions, routes.map((route) => route.points), this.scene.centres, downward);
    this.scene.routes = routes.map((route, index) => ({ ...route, label: labels[index] }));
    const size = dot(placed);
    this.extent = { width: size.x, height: size.y };
    this.posture = "first";
    this.showFirst();
  }

  private placed(downward: boolean): Layout {
    const { nodes, edges } = this.scene;
    const labelled = edges.some((edge) => edge.condition !== null);
    const sizes = downward
      ? { across: NODE_WIDTH, gapAcross: 24, along: NODE_HEIGHT, gapAlong: labelled ? 74 : 44 }
      : { across: NODE_HEIGHT, gapAcross: 18, along: NODE_WIDTH, gapAlong: labelled ? 190 : 64 };
    const main = nodes.filter((node) => !node.final).length;
    return layout(nodes.length, edges.map((edge) => [edge.from, edge.to] as const), sizes, main);
  }

  /** The direction in which the whole plan can be shown larger; downward when there is little in it. */
  private better(): boolean {
    if (!this.view.width) this.measure();
    const down = this.placed(true);
    const right = this.placed(false);
    return this.fitting(down.across, down.along) * 1.15 >= this.fitting(right.along, right.across);
  }

  private fitting(width: number, height: number): number {
    const { width: w, height: h } = this.view;
    return Math.max(MIN_SCALE, Math.min(FIT_MAX, (w - 2 * MARGIN) / (width || 1), (h - 2 * MARGIN) / (height || 1)));
  }

  private route(edge: EdgeLook, bends: Dot[]): Omit<Route, "label"> {
    const { centres, downward } = this.scene;
    const border = (centre: Dot, side: number): Dot =>
      downward ? { x: centre.x, y: centre.y + (side * NODE_HEIGHT) / 2 } : { x: centre.x + (side * NODE_WIDTH) / 2, y: centre.y };
    const points = [border(centres[edge.from], 1), ...bends, border(centres[edge.to], -1)];
    const xs = points.map((point) => point.x);
    const ys = points.map((point) => point.y);
    const [x, y] = [Math.min(...xs) - 100, Math.min(...ys) - 20];
    return { points, box: { x, y, width: Math.max(...xs) - x + 100, height: Math.max(...ys) - y + 20 } };
  }

  private reveal(centre: Dot): void {
    const { view } = this;
    const at = { x: centre.x * view.scale + view.x, y: centre.y * view.scale + view.y };
    const inside = at.x > 40 && at.y > 20 && at.x < view.width - 40 && at.y < view.height - 20;
    if (!inside) this.centre(centre);
  }

  private centre(on: Dot): void {
    const { scale, width, height } = this.view;
    this.view = { ...this.view, x: width / 2 - on.x * scale, y: height / 2 - on.y * scale };
  }

  private measure(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.view = { ...this.view, width, height };
  }

  private resize(): void {
    const first = !this.view.width;
    this.measure();
    if (first && this.scene.nodes.length) this.arrange(this.better());
    else if (this.posture === "first") this.showFirst();
    else if (this.posture === "all") this.showAll();
    this.draw();
  }

  private recolour(): void {
    this.colours = palette(this.canvas);
    this.draw();
  }

  private draw(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const turn = this.still.matches ? 0 : (performance.now() / 1_600) % 1;
      paint(this.context, this.scene, this.view, this.colours, turn);
      clearTimeout(this.beat);
      if (!this.still.matches && this.scene.nodes.some((node) => node.state === "running")) {
        this.beat = setTimeout(() => this.draw(), FRAME_MS);
      }
    });
  }

  private world(at: Dot): Dot {
    return { x: (at.x - this.view.x) / this.view.scale, y: (at.y - this.view.y) / this.view.scale };
  }

  private nodeAt(at: Dot): string | null {
    const spot = this.world(at);
    const index = this.scene.centres.findIndex((centre) => within(spot, nodeBox(centre)));
    return index < 0 ? null : this.scene.nodes[index].id;
  }

  private conditionAt(at: Dot): number | null {
    const spot = this.world(at);
    const index = this.scene.edges.findIndex(
      (edge, i) => edge.condition !== null && within(spot, conditionBox(this.scene, i, this.view.scale)),
    );
    return index < 0 ? null : index;
  }

  private place(event: MouseEvent): Dot {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  private down(event: PointerEvent): void {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    this.travelled = this.pointers.size > 1 ? Infinity : 0;
  }

  private move(event: PointerEvent): void {
    const to = this.place(event);
    const from = this.pointers.get(event.pointerId);
    if (!from) {
      this.hover(to);
      return;
    }
    this.pointers.set(event.pointerId, to);
    const step = { x: to.x - from.x, y: to.y - from.y };
    this.travelled += Math.hypot(step.x, step.y);
    if (this.travelled < CLICK_SLACK) return;
    if (this.pointers.size === 2) this.pinch(event.pointerId, from, to);
    else this.view = { ...this.view, x: this.view.x + step.x, y: this.view.y + step.y };
    this.posture = "own";
    this.draw();
  }

  private pinch(moved: number, from: Dot, to: Dot): void {
    const other = [...this.pointers].find(([id]) => id !== moved)![1];
    const distance = (dot: Dot) => Math.max(1, Math.hypot(dot.x - other.x, dot.y - other.y));
    this.zoom(distance(to) / distance(from), { x: (to.x + other.x) / 2, y: (to.y + other.y) / 2 });
  }

  private up(event: PointerEvent): void {
    const known = this.pointers.delete(event.pointerId);
    if (!known || this.travelled >= CLICK_SLACK) return;
    const at = this.place(event);
    const edge = this.conditionAt(at);
    this.point(edge, at);
    if (edge !== null) return;
    const id = this.nodeAt(at);
    if (id) this.listener.onSelect(id);
  }

  private hover(at: Dot): void {
    const edge = this.conditionAt(at);
    this.canvas.style.cursor = edge !== null || this.nodeAt(at) ? "pointer" : "grab";
    this.point(edge, at);
  }

  private point(edge: number | null, at: Dot = { x: 0, y: 0 }): void {
    if (edge === this.scene.hovered) return;
    this.scene.hovered = edge;
    this.listener.onPoint(edge === null ? null : { edge, ...at });
    this.draw();
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    if (event.shiftKey) {
      this.view = { ...this.view, x: this.view.x - event.deltaY - event.deltaX };
      this.posture = "own";
      this.draw();
    } else {
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 24 : 1;
      this.zoom(Math.exp(-event.deltaY * lines * 0.0015), this.place(event));
    }
  }
}
