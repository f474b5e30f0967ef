/** The log of one attempt, read from its beginning and followed to its end. */
import { signal } from "@preact/signals";
import { api, ApiError } from "./api.ts";
import { pause } from "./stream.ts";
import type { LogLine } from "./types.ts";

const POLL_MS = 600;
const AFTER_FAILURE_MS = 1_500;
/** More lines than this are not kept; the oldest go first. */
export const MOST_LINES = 200_000;

// Terminal control sequences (colours, cursor moves, titles) say nothing here.
// eslint-disable-next-line no-control-regex
const CONTROL = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-_])|[\u0000-\u0008\u000b-\u001f\u007f]/g;

export class LogTail {
  /** Grows in place; `length` tells of every change. */
  lines: LogLine[] = [];
  dropped = 0;
  readonly length = signal(0);
  readonly attempt = signal<string | null>(null);
  readonly attempts = signal<string[]>([]);
  readonly complete = signal(false);
  readonly failure = signal<string | null>(null);
  private stop = new AbortController();

  /** `attempt` is a folder's name; null follows the newest there is. */
  constructor(run: string, step: string, attempt: string | null) {
    void this.read(run, step, attempt);
  }

  close(): void {
    this.stop.abort();
  }

  private async read(run: string, step: string, chosen: string | null): Promise<void> {
    let attempt = chosen;
    let after = 0;
    while (!this.stop.signal.aborted) {
      try {
        const page = await api.logs(run, step, attempt, after, this.stop.signal);
        this.failure.value = null;
        this.attempts.value = page.attempts;
        const newest = page.attempts[page.attempts.length - 1] ?? null;
        if (chosen === null && attempt !== null && newest !== attempt) {
          attempt = newest;
          after = 0;
          this.clear();
          continue;
        }
        attempt ??= page.attempt;
        this.attempt.value = attempt;
        this.add(page.lines);
        after = page.next;
        if (page.complete && page.lines.length === 0) {
          this.complete.value = true;
          return;
        }
        if (page.lines.length === 0) await pause(POLL_MS, this.stop.signal);
      } catch (error) {
        if (this.stop.signal.aborted) return;
        this.failure.value = error instanceof ApiError ? error.message : "The log cannot be read.";
        if (error instanceof ApiError && error.status === 401) return;
        await pause(AFTER_FAILURE_MS, this.stop.signal);
      }
    }
  }

  private clear(): void {
    this.lines = [];
    this.dropped = 0;
    this.length.value = 0;
  }

  private add(lines: LogLine[]): void {
    if (lines.length === 0) return;
    for (const line of lines) this.lines.push({ ...line, text: line.text.replace(CONTROL, "") });
    const excess = this.lines.length - MOST_LINES;
    if (excess > 0) {
      this.lines.splice(0, excess);
      this.dropped += excess;
    }
    this.length.value = this.dropped + this.lines.length;
  }
}
