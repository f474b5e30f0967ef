/** Triggers in words. */

import type { Trigger } from "./types.ts";

const UNITS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "m"],
];

/** `schedule 0 6 * * MON Europe/Paris`, `schedule every 2 months from 2026-01-31`, `event dataset.published if ...`. */
export function triggerText(trigger: Trigger): string {
  const spec: { [name: string]: unknown } = { ...trigger, ...trigger.spec };
  const words = trigger.kind === "schedule" ? scheduleWords(spec) : eventWords(spec);
  return [trigger.kind, ...words].filter((word) => typeof word === "string").join(" ");
}

function scheduleWords(spec: { [name: string]: unknown }): unknown[] {
  const start = typeof spec.start === "string" ? `from ${spec.start}` : null;
  return [spec.cron ?? everyText(spec.every), start, spec.timezone];
}

function eventWords(spec: { [name: string]: unknown }): unknown[] {
  const condition = typeof spec.if === "string" ? `if ${spec.if}` : null;
  const quiet = typeof spec.debounce === "number" && spec.debounce > 0 ? `after ${duration(spec.debounce)} of quiet` : null;
  return [spec.name, condition, quiet];
}

function everyText(every: unknown): string | null {
  if (typeof every !== "object" || every === null) return null;
  const { months, seconds } = every as { months?: unknown; seconds?: unknown };
  if (typeof months === "number") return months === 1 ? "every month" : `every ${months} months`;
  return typeof seconds === "number" ? `every ${duration(seconds)}` : null;
}

function duration(seconds: number): string {
  const unit = UNITS.find(([size]) => seconds % size === 0);
  return unit === undefined ? `${seconds}s` : `${seconds / unit[0]}${unit[1]}`;
}
