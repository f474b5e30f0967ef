/** What the HTTP API answers with, as the pages use it. The API's OpenAPI document is the reference. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type RunState = "pending" | "running" | "paused" | "succeeded" | "failed" | "cancelled";
export type StepState =
  | "waiting"
  | "queued"
  | "running"
  | "retrying"
  | "held"
  | "succeeded"
  | "failed"
  | "upstream_failed"
  | "skipped"
  | "cancelled";
export type State = RunState | StepState;

export interface RunSummary {
  id: string;
  workflow: string;
  version: number;
  state: RunState;
  reason: string | null;
  cause: { kind: "manual" | "schedule" | "event" | "workflow" | "rerun"; id: string };
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  /** What keeps it from moving that is not of its plan, and the way out. */
  stuck?: string | null;
}

export interface StepFailure {
  type: string;
  message: string;
  detail: JsonObject;
}

export interface Attempt {
  attempt: number;
  generation?: number;
  worker: string | null;
  started_at: string | null;
  ended_at: string | null;
  state: StepState;
  error: StepFailure | null;
}

/** How far a step says it is; `total` is null when nobody knows. */
export interface Progress {
  done: number;
  total: number | null;
  text: string;
}

export interface StepRecord {
  key: string;
  step: string;
  item: number | null;
  kind: string;
  queue: string | null;
  state: StepState;
  reason: string | null;
  detail: JsonObject | null;
  progress: Progress | null;
  attempt: number;
  worker: string | null;
  scheduled_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  output: Json;
  error: StepFailure | null;
  folder: string | null;
  attempts: Attempt[];
}

export interface Run extends RunSummary {
  params: JsonObject;
  output: Json;
  plan_hash: string;
  temporal_url: string | null;
  seq: number;
  steps: StepRecord[];
}

export interface RunPage {
  runs: RunSummary[];
  next: string | null;
}

export interface Edge {
  step: string;
  when: string | null;
}

export interface PlanStep {
  id: string;
  kind: string;
  action: JsonObject;
  needs: Edge[];
  trigger_rule: string;
  condition: string | null;
  map: { over: Json; name: string; limit: number | null } | null;
  /** `finally` steps start when all others have ended, and stand behind them in the plan. */
  phase?: "main" | "finally";
  queue: string;
  description: string;
}

export interface Plan {
  workflow: string;
  description: string;
  steps: PlanStep[];
  params: { [name: string]: JsonObject };
  triggers: Trigger[];
}

export interface Trigger {
  kind: "schedule" | "event";
  id?: string;
  spec?: JsonObject;
  [key: string]: unknown;
}

export interface WorkflowSummary {
  name: string;
  description: string;
  labels: { [name: string]: string };
  version: number;
  plan_hash: string;
  created_at: string;
  triggers: Trigger[];
  last_run: RunSummary | null;
}

export interface Workflow extends WorkflowSummary {
  versions: { version: number; plan_hash: string; bundle: string | null; created_at: string }[];
}

export interface WorkflowVersion {
  name: string;
  version: number;
  plan: Plan;
  plan_hash: string;
}

export interface LogLine {
  at: number;
  stream: "stdout" | "stderr";
  text: string;
}

export interface LogPage {
  attempt: string | null;
  attempts: string[];
  lines: LogLine[];
  next: number;
  complete: boolean;
}

/** A metric over time, by columns. */
export interface Series {
  name: string;
  steps: number[];
  values: (number | null)[];
  at: number[];
}

export interface StepFile {
  name: string;
  size: number;
  sha256?: string | null;
  kind: "artifact" | "file" | "bytes";
}

export interface Artifact {
  name: string;
  size: number;
  sha256: string | null;
  type: string;
}

export interface ArtifactPage {
  artifacts: Artifact[];
  /** The attempt that made them: another run's, where its output was reused. */
  made_by: { run: string; step: string } | null;
  next: string | null;
}

export const RUN_STATES: RunState[] = ["pending", "running", "paused", "succeeded", "failed", "cancelled"];
const ENDED = new Set<State>(["succeeded", "failed", "upstream_failed", "skipped", "cancelled"]);

/** Whether nothing can change any more. */
export function ended(state: State): boolean {
  return ENDED.has(state);
}
