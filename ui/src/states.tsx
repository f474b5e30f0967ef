/**
 * How each state looks: a word, a shape and a colour, so that none of them is needed alone.
 *
 * The shapes are paths on a 16 x 16 grid, drawn by the canvas and by SVG alike. The colours are CSS variables
 * (`--running` ...) from a palette that stays distinct under the common kinds of colour blindness.
 */
import type { State } from "./types.ts";

export interface Look {
  word: string;
  /** Stroked outlines. */
  stroke: string;
  /** Filled areas, under the strokes. */
  fill?: string;
}

const DISC = "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13z";

export const LOOKS: Record<State, Look> = {
  pending: { word: "pending", stroke: `${DISC}M5 8h.01M8 8h.01M11 8h.01` },
  waiting: { word: "waiting", stroke: `${DISC}M5 8h.01M8 8h.01M11 8h.01` },
  queued: { word: "queued", stroke: `${DISC}M8 4.5V8l2.5 1.5` },
  running: { word: "running", stroke: DISC, fill: "M6.3 4.9v6.2L11.3 8z" },
  retrying: { word: "retrying", stroke: "M13.5 8a5.5 5.5 0 1 1-1.7-4M13.8 1.5v3.2h-3.2" },
  paused: { word: "paused", stroke: DISC, fill: "M6 5h1.5v6H6zM8.5 5H10v6H8.5z" },
  held: { word: "held", stroke: `${DISC}M6.4 5.4v5.2M9.6 5.4v5.2` },
  succeeded: { word: "succeeded", fill: DISC, stroke: "M5 8.2l2.2 2.2L11.2 6" },
  failed: { word: "failed", fill: DISC, stroke: "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8" },
  upstream_failed: { word: "upstream failed", stroke: "M8 1.5L14.5 8L8 14.5L1.5 8zM8 11V5.2M5.8 7.2L8 5l2.2 2.2" },
  skipped: { word: "skipped", stroke: "M3 4l4 4l-4 4M9 4l4 4l-4 4" },
  cancelled: { word: "cancelled", stroke: `${DISC}M3.6 12.4l8.8-8.8` },
};

/** States in which the strokes are drawn over a filled disc, in the page's background colour. */
export const SOLID = new Set<State>(["succeeded", "failed"]);

/** Order in which counts are listed: what needs a person first. */
export const COUNT_ORDER: State[] = [
  "failed",
  "upstream_failed",
  "held",
  "retrying",
  "running",
  "queued",
  "waiting",
  "succeeded",
  "skipped",
  "cancelled",
];

export function Icon({ state }: { state: State }) {
  const look = LOOKS[state];
  return (
    <svg class={`icon ${state} ${SOLID.has(state) ? "solid" : ""}`} viewBox="0 0 16 16" aria-hidden="true">
      {look.fill && <path class="area" d={look.fill} />}
      <path class="line" d={look.stroke} />
    </svg>
  );
}

/** Icon and word. */
export function StateMark({ state }: { state: State }) {
  return (
    <span class={`state ${state}`} data-state={state}>
      <Icon state={state} />
      {LOOKS[state].word}
    </span>
  );
}
