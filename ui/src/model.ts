/** A run joined with its plan: what the graph, the tree, the table and the panel all show. Pure. */
import { COUNT_ORDER } from "./states.tsx";
import { ended, type Plan, type PlanStep, type Run, type State, type StepRecord } from "./types.ts";

/** Kinds of steps that the interpreter itself runs: no queue and no worker has to do with them. */
export const WITHOUT_WORKER = new Set(["wait", "approve", "workflow"]);

/** A step of the plan with its record and, for a map, those of its items. */
export interface StepGroup {
  step: PlanStep;
  record: StepRecord;
  items: StepRecord[];
  /** How many items are in each state; null for anything but a map. */
  counts: [State, number][] | null;
}

export function groups(plan: Plan, run: Run): StepGroup[] {
  const records = Map.groupBy(run.steps, (record) => record.step);
  return plan.steps.map((step) => {
    const own = records.get(step.id) ?? [];
    const items = own.filter((record) => record.item !== null);
    const record = own.find((found) => found.item === null) ?? unknown(step);
    return { step, record, items, counts: step.map ? count(items) : null };
  });
}

function unknown(step: PlanStep): StepRecord {
  return {
    key: step.id,
    step: step.id,
    item: null,
    kind: step.kind,
    queue: step.queue,
    state: "waiting",
    reason: null,
    detail: null,
    progress: null,
    attempt: 0,
    worker: null,
    scheduled_at: null,
    started_at: null,
    ended_at: null,
    output: null,
    error: null,
    folder: null,
    attempts: [],
  };
}

export function count(records: StepRecord[]): [State, number][] {
  const by = Map.groupBy(records, (record) => record.state);
  return COUNT_ORDER.filter((state) => by.has(state as StepRecord["state"])).map((state) => [
    state,
    by.get(state as StepRecord["state"])!.length,
  ]);
}

/** `3 of 6 succeeded, 1 failed`. */
export function progress(group: StepGroup): string {
  const found = new Map(group.counts ?? []);
  const bad = (["failed", "cancelled"] as State[]).filter((state) => found.has(state)).map((state) => `, ${found.get(state)} ${state}`);
  return `${found.get("succeeded") ?? 0} of ${group.items.length} succeeded${bad.join("")}`;
}

/** The step or item that failed first. */
export function firstFailure(run: Run): StepRecord | null {
  const failed = run.steps.filter((step) => step.state === "failed");
  const items = failed.filter((step) => step.item !== null);
  const maps = new Set(items.map((item) => item.step));
  // An item says more than the map that it made fail.
  const telling = failed.filter((step) => step.item !== null || !maps.has(step.step));
  return telling.reduce<StepRecord | null>((first, step) => (!first || (step.ended_at ?? "") < (first.ended_at ?? "") ? step : first), null);
}

/** Start and end of a record as its bar of time: from its first start to its end. */
export function started(record: StepRecord): string | null {
  return record.attempts[0]?.started_at ?? record.started_at;
}

export function selectedRecord(all: StepGroup[], key: string | null): { group: StepGroup; record: StepRecord } | null {
  if (!key) return null;
  for (const group of all) {
    if (group.step.id === key) return { group, record: group.record };
    const item = group.items.find((record) => record.key === key);
    if (item) return { group, record: item };
  }
  return null;
}

/** `done / all` over the plan's steps. */
export function done(all: StepGroup[]): { ended: number; all: number } {
  return { ended: all.filter((group) => ended(group.record.state)).length, all: all.length };
}
