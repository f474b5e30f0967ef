/**
 * A run as it changes: loaded once, then kept up to date by its event stream.
 *
 * Events are applied in small batches, so that a burst costs one drawing. A gap in the numbers means that something
 * was missed: the run is then loaded again.
 */
import { signal } from "@preact/signals";
import { api, ApiError } from "./api.ts";
import type { ServerEvent } from "./events.ts";
import { follow, pause, type Link } from "./stream.ts";
import { ended, type Plan, type Run, type RunSummary, type StepRecord } from "./types.ts";

const BATCH_MS = 60;
const RETRY_MS = 1_000;

type Sequenced<T> = T & { seq: number; at: string };

export class LiveRun {
  readonly run = signal<Run | null>(null);
  readonly plan = signal<Plan | null>(null);
  readonly link = signal<Link>("connecting");
  readonly failure = signal<ApiError | null>(null);
  private id: string;
  private stop = new AbortController();
  private waiting: ServerEvent[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(id: string) {
    this.id = id;
    void this.start();
  }

  close(): void {
    this.stop.abort();
    clearTimeout(this.timer);
  }

  /** Follows a run that goes on after its end. */
  async again(): Promise<void> {
    this.close();
    this.stop = new AbortController();
    this.link.value = "connecting";
    await this.start();
  }

  /** Loads the run again: after a gap, or after an action whose effect should show at once. */
  async reload(): Promise<void> {
    const run = await api.run(this.id, this.stop.signal);
    // What the stream brought meanwhile is newer than the answer.
    if (run.seq >= (this.run.value?.seq ?? 0)) this.run.value = run;
  }

  private async start(): Promise<void> {
    while (!(await this.load())) {
      if (this.stop.signal.aborted || this.failure.value) return;
      this.link.value = "lost";
      await pause(RETRY_MS, this.stop.signal);
    }
    const run = this.run.value!;
    if (ended(run.state)) {
      this.link.value = "closed";
      return;
    }
    const follower = {
      onEvent: (event: ServerEvent) => this.collect(event),
      onLink: (link: Link) => {
        this.link.value = link;
        if (link === "closed") this.apply();
      },
      onRefused: (error: Error) => (this.failure.value = error as ApiError),
    };
    await follow(`/runs/${encodeURIComponent(this.id)}/events`, run.seq, follower, this.stop.signal);
  }

  /** Whether the run and its plan are there; a refusal ends in `failure`. */
  private async load(): Promise<boolean> {
    try {
      await this.reload();
      const { workflow, version } = this.run.value!;
      this.plan.value = (await api.version(workflow, version, this.stop.signal)).plan;
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) this.failure.value = error;
      return false;
    }
  }

  private collect(event: ServerEvent): void {
    this.waiting.push(event);
    this.timer ??= setTimeout(() => this.apply(), BATCH_MS);
  }

  private apply(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const events = this.waiting.splice(0);
    const before = this.run.value;
    if (events.length === 0 || !before) return;
    let run: Run = { ...before, steps: before.steps.slice() };
    let gap = false;
    for (const event of events) {
      const { seq, at: _, ...rest } = JSON.parse(event.data) as Sequenced<RunSummary> | Sequenced<StepRecord>;
      if (seq <= run.seq) continue;
      gap ||= seq > run.seq + 1;
      if (event.name === "run") run = { ...run, ...(rest as RunSummary) };
      if (event.name === "step") putStep(run.steps, rest as StepRecord);
      run.seq = seq;
    }
    this.run.value = run;
    // The last run event carries no output: the whole record has it.
    if (gap || (ended(run.state) && !ended(before.state))) void this.reload().catch(() => undefined);
  }
}

function putStep(steps: StepRecord[], step: StepRecord): void {
  const at = steps.findIndex((known) => known.key === step.key);
  if (at >= 0) {
    steps[at] = step;
    return;
  }
  // A new item of a map follows its step and the items before it.
  let place = steps.findIndex((known) => known.key === step.step) + 1;
  if (place === 0) place = steps.length;
  while (place < steps.length && steps[place].step === step.step && (steps[place].item ?? 0) < (step.item ?? 0)) place++;
  steps.splice(place, 0, step);
}
