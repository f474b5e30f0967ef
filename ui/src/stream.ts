/**
 * Follows a stream of server-sent events over fetch, because EventSource cannot send a bearer token.
 *
 * A lost stream is taken up again after the last event seen, with a growing pause. A service that keeps the
 * connection but no longer answers is noticed by asking `/health` while the stream is silent.
 */
import { headers, key, problem } from "./api.ts";
import { EventParser, type ServerEvent } from "./events.ts";

/** `live`: connected; `lost`: trying again, or silent; `closed`: the stream said its end, or was refused. */
export type Link = "connecting" | "live" | "lost" | "closed";

export interface Follower {
  onEvent(event: ServerEvent): void;
  onLink(link: Link): void;
  /** The service refused the stream for good (no such run, key refused). */
  onRefused(error: Error): void;
}

const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 5_000;
const PROBE_EVERY_MS = 1_500;
const PROBE_PATIENCE_MS = 1_200;
/** The service sends a comment every ten seconds. */
const LONGEST_SILENCE_MS = 25_000;

/** Reads `path` (below `/api/v1`) from the event after `after` until the stream's `end` event or until `stop`. */
export async function follow(path: string, after: number, follower: Follower, stop: AbortSignal): Promise<void> {
  let last = String(after);
  let failures = 0;
  while (!stop.aborted) {
    const connection = new Connection(follower, stop);
    try {
      const outcome = await connection.read(`/api/v1${path}?after=${last}`, last, (event) => {
        failures = 0;
        last = event.id ?? last;
      });
      if (outcome !== "cut") return;
    } catch {
      // The network's way of saying that the connection is gone.
    } finally {
      connection.end();
    }
    if (stop.aborted) return;
    follower.onLink("lost");
    await pause(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures++), stop);
  }
}

class Connection {
  private follower: Follower;
  private abort = new AbortController();
  private heard = performance.now();
  private timer: ReturnType<typeof setInterval> | undefined;
  private link: Link = "connecting";
  private stop: AbortSignal;

  constructor(follower: Follower, stop: AbortSignal) {
    this.follower = follower;
    this.stop = stop;
  }

  async read(address: string, last: string, onEvent: (event: ServerEvent) => void): Promise<"end" | "refused" | "cut"> {
    const used = key.value;
    const response = await fetch(address, {
      headers: { ...headers(), Accept: "text/event-stream", "Last-Event-ID": last },
      signal: AbortSignal.any([this.stop, this.abort.signal]),
      cache: "no-store",
    });
    if (response.status >= 400 && response.status < 500) {
      this.follower.onRefused(await problem(response, used));
      this.follower.onLink("closed");
      return "refused";
    }
    if (!response.ok || !response.body) return "cut";
    this.show("live");
    this.timer = setInterval(() => void this.probe(), PROBE_EVERY_MS);
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "cut";
      this.heard = performance.now();
      this.show("live");
      for (const event of parser.push(value)) {
        onEvent(event);
        if (event.name === "end") {
          this.follower.onLink("closed");
          return "end";
        }
        this.follower.onEvent(event);
      }
    }
  }

  end(): void {
    clearInterval(this.timer);
    this.abort.abort();
  }

  private show(link: Link): void {
    if (link !== this.link) this.follower.onLink(link);
    this.link = link;
  }

  private async probe(): Promise<void> {
    const silence = performance.now() - this.heard;
    if (silence > LONGEST_SILENCE_MS) this.abort.abort();
    if (silence < PROBE_EVERY_MS) return;
    try {
      await fetch("/api/v1/health", { signal: AbortSignal.timeout(PROBE_PATIENCE_MS), cache: "no-store" });
      if (!this.abort.signal.aborted) this.show("live");
    } catch {
      if (!this.abort.signal.aborted && !this.stop.aborted) this.show("lost");
    }
  }
}

/** Waits `ms` milliseconds, less when `stop` is given or the network comes back. */
export function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      stop.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    stop.addEventListener("abort", done);
  });
}
