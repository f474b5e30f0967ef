/**
 * Why a step is in its state: in a sentence, and in its parts.
 *
 * The interpreter's own words come first (`reason`, `detail`); what it has not said yet is read from the plan and
 * the states of the needs. Pure: no browser.
 */
import { progress, type StepGroup } from "./model.ts";
import { LOOKS } from "./states.tsx";
import { ended, type Edge, type Json, type JsonObject, type StepRecord } from "./types.ts";

/** A condition that was looked at, as the interpreter keeps it. */
export interface Look {
  expression: string;
  result: boolean | null;
  values: JsonObject;
}

export type Outcome = "open" | "true" | "false" | "moot";

/** What became of an edge: of its condition, or simply of its need. `moot`: nobody needed to look at it. */
export function outcome(edge: Edge, need: StepRecord | undefined, step: StepRecord | undefined, rule: string): Outcome {
  if (!need || !ended(need.state)) return "open";
  if (need.state !== "succeeded") return "moot";
  if (edge.when === null) return "true";
  const seen = edgeLook(edge, step);
  if (seen?.result != null) return seen.result ? "true" : "false";
  if (!step || step.state === "waiting") return "open";
  // A step that started by this rule had all its conditions true, whatever its newest record still says.
  const begun = step.scheduled_at !== null || step.started_at !== null;
  return rule === "all_success" && begun ? "true" : "moot";
}

/** What the condition of an edge saw when the step was decided. */
export function edgeLook(edge: Edge, step: StepRecord | undefined): Look | null {
  const conditions = step?.detail?.conditions;
  if (!Array.isArray(conditions)) return null;
  return (conditions as (JsonObject | null)[]).map((each) => (each?.need === edge.step ? asLook(each) : null)).find(Boolean) ?? null;
}

/** What the step's `if` saw. */
export function ifLook(step: StepRecord): Look | null {
  return asLook(step.detail?.if);
}

function asLook(value: Json | undefined): Look | null {
  if (value === null || typeof value !== "object" || Array.isArray(value) || !("result" in value)) return null;
  return {
    expression: String(value.expression),
    result: value.result as boolean | null,
    values: (value.values ?? {}) as JsonObject,
  };
}

/** `output.quality = "bad", params.limit = 3`. */
export function values(look: Look): string {
  return Object.entries(look.values)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    .join(", ");
}

/** One sentence on why `record` is as it is. */
export function sentence(record: StepRecord, group: StepGroup, all: StepGroup[]): string {
  if (record.reason) return record.reason;
  switch (record.state) {
    case "waiting": {
      const open = group.step.needs.filter((edge) => {
        const need = all.find((other) => other.step.id === edge.step);
        return need && !ended(need.record.state);
      });
      return open.length ? `Waits for ${open.map((edge) => edge.step).join(", ")}.` : "Waits to be scheduled.";
    }
    case "queued":
      return `Waits for a worker on queue ${record.queue ?? group.step.queue}.`;
    case "running":
      if (group.items.length && record.item === null) return `Runs: ${progress(group)}.`;
      return `Runs${record.worker ? ` on ${record.worker}` : ""}${record.attempt > 1 ? `, attempt ${record.attempt}` : ""}.`;
    case "retrying":
      return `Attempt ${record.attempt} failed; the next ${nextTry(record)}.`;
    case "failed":
      return record.error ? `${record.error.type}: ${firstLine(record.error.message)}` : "Failed.";
    default:
      return `${LOOKS[record.state].word[0].toUpperCase()}${LOOKS[record.state].word.slice(1)}.`;
  }
}

/** `3/10 rows read`; empty when the step runs no more, or has not said. */
export function howFar(record: StepRecord): string {
  if (!record.progress || ended(record.state)) return "";
  const { done, total, text } = record.progress;
  return `${done.toLocaleString("en")}${total === null ? "" : `/${total.toLocaleString("en")}`} ${text}`.trim();
}

function nextTry(record: StepRecord): string {
  const at = record.detail?.next_at;
  return typeof at === "string" ? `is at ${new Date(at).toLocaleTimeString()}` : "will follow";
}

export function firstLine(text: string): string {
  return text.split("\n", 1)[0];
}
