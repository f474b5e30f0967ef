/** A line chart's geometry. Pure. */
import type { Series } from "./types.ts";

export interface Chart {
  /** The `d` of an SVG path; a value that was no number leaves a gap. */
  path: string;
  low: number;
  high: number;
  from: number;
  to: number;
  last: number | null;
}

/** Draws a series into a box of `width` and `height`; null when it has no number. */
export function chart(series: Series, width: number, height: number): Chart | null {
  let low = Infinity;
  let high = -Infinity;
  let from = Infinity;
  let to = -Infinity;
  let last: number | null = null;
  for (let i = 0; i < series.values.length; i++) {
    const value = series.values[i];
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
    from = Math.min(from, series.steps[i]);
    to = Math.max(to, series.steps[i]);
    last = value;
  }
  if (last === null) return null;
  const x = (step: number) => (to > from ? ((step - from) / (to - from)) * width : width / 2);
  const y = (value: number) => (high > low ? (1 - (value - low) / (high - low)) * height : height / 2);
  let path = "";
  let drawing = false;
  for (let i = 0; i < series.values.length; i++) {
    const value = series.values[i];
    if (value !== null) path += `${drawing ? "L" : "M"}${x(series.steps[i]).toFixed(1)} ${y(value).toFixed(1)}`;
    // A point between two gaps would be a line of no length: a round cap shows it.
    if (value !== null && !drawing) path += "h0";
    drawing = value !== null;
  }
  return { path, low, high, from, to, last };
}

/** A number in few characters: `0.9312`, `12,500`, `1.2e-7`. */
export function brief(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(1);
  return value.toLocaleString("en", { maximumSignificantDigits: size >= 1_000 ? 6 : 4 });
}
