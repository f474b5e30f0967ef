/** Seconds that tick: a component that reads `second` is drawn anew once a second. */
import { signal } from "@preact/signals";
import { now } from "./api.ts";
import { between, duration, ticking } from "./format.ts";

export const second = signal(now());
setInterval(() => (second.value = now()), 1_000);

/** Time from start to end as text, counting while there is no end; empty before the start. */
export function elapsed(from: string | null, to: string | null, running = true): string {
  if (to || !running) {
    const ms = to ? between(from, to, 0) : null;
    return ms === null ? "" : duration(ms);
  }
  const ms = between(from, null, second.value);
  return ms === null ? "" : ticking(ms);
}
