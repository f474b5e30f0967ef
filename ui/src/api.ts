/**
 * The HTTP API, with the key that opens it.
 *
 * The key arrives in the address's fragment (which browsers never send), is kept in localStorage and leaves the
 * address bar at once. It is sent as a bearer token and appears nowhere else.
 */
import { signal } from "@preact/signals";
import type { ArtifactPage, Json, JsonObject, LogPage, Run, RunPage, Series, StepFile, Workflow, WorkflowSummary, WorkflowVersion } from "./types.ts";

const STORED = "segue.key";
const PATIENCE_MS = 8_000;

/** The API key; null when there is none, or when the service refused it. */
export const key = signal<string | null>(null);
export const refused = signal(false);

/** How far this machine's clock is behind the service's, in milliseconds: durations tick by the service's clock. */
let behind = 0;

/** The service's time, milliseconds since the epoch. */
export function now(): number {
  return Date.now() + behind;
}

/** Takes the key out of the address bar, else from the last visit. */
export function findKey(): void {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get("key");
  if (given) {
    localStorage.setItem(STORED, given);
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  key.value = localStorage.getItem(STORED);
}

export function useKey(value: string): void {
  localStorage.setItem(STORED, value);
  refused.value = false;
  key.value = value;
}

/** A problem document (RFC 9457), or the network's own failure (`status` 0). */
export class ApiError extends Error {
  status: number;
  errors: { path: string; message: string }[];

  constructor(status: number, message: string, errors: { path: string; message: string }[] = []) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

export function headers(): Record<string, string> {
  return { Authorization: `Bearer ${key.value ?? ""}` };
}

/** Sends a request to `/api/v1`; anything but success becomes an `ApiError`. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const timeout = AbortSignal.timeout(PATIENCE_MS);
  const signals = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  const used = key.value;
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, { ...init, signal: signals, headers: { ...headers(), ...init.headers } });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, "The service does not answer.");
  }
  noteClock(response);
  if (!response.ok) throw await problem(response, used);
  return response;
}

/** Turns a refusal into an `ApiError`; a refused key leads to the page that says how to get one. */
export async function problem(response: Response, used: string | null): Promise<ApiError> {
  // Several requests may be refused at once, and the last after another key was given.
  if (response.status === 401 && used !== null && used === key.value) {
    refused.value = true;
    key.value = null;
  }
  const document = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const text = document.detail ?? document.title ?? `The service answered ${response.status}.`;
  return new ApiError(response.status, String(text), (document.errors as { path: string; message: string }[]) ?? []);
}

function noteClock(response: Response): void {
  const date = Date.parse(response.headers.get("Date") ?? "");
  // The header counts whole seconds: a smaller difference says nothing.
  if (!Number.isNaN(date)) behind = Math.abs(date - Date.now()) > 3_000 ? date - Date.now() : 0;
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await request(path, init)).json()) as T;
}

function post<T>(path: string, body: JsonObject): Promise<T> {
  return json<T>(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

const at = encodeURIComponent;

function query(values: Record<string, string | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) search.set(name, value);
  const text = search.toString();
  return text ? `?${text}` : "";
}

export interface RunsQuery {
  workflow?: string | null;
  state?: string | null;
  cursor?: string | null;
  limit?: string;
}

export const api = {
  runs: (q: RunsQuery, signal?: AbortSignal) => json<RunPage>(`/runs${query({ ...q })}`, { signal }),
  run: (id: string, signal?: AbortSignal) => json<Run>(`/runs/${at(id)}`, { signal }),
  start: (workflow: string, params: JsonObject) => post<Run>("/runs", { workflow, params }),
  cancel: (id: string) => post<Run>(`/runs/${at(id)}/cancel`, { reason: "cancelled from the web page" }),
  operate: (run: string, operation: "pause" | "resume" | "retry") =>
    post(`/runs/${at(run)}/${operation}`, { reason: "from the web page" }),
  skip: (run: string, step: string, reason: string) => post(`/runs/${at(run)}/steps/${at(step)}/skip`, { reason }),
  answer: (run: string, step: string, body: JsonObject) => post(`/runs/${at(run)}/steps/${at(step)}/answer`, body),
  release: (run: string, step: string, action: "retry" | "fail") =>
    post(`/runs/${at(run)}/steps/${at(step)}/release`, { action }),
  queues: (queue: string, signal?: AbortSignal) =>
    json<{ queues: { name: string; workers: string[] }[] }>(`/queues${query({ queue })}`, { signal }),
  workflows: (signal?: AbortSignal) => json<{ workflows: WorkflowSummary[] }>("/workflows", { signal }),
  workflow: (name: string, signal?: AbortSignal) => json<Workflow>(`/workflows/${at(name)}`, { signal }),
  version: (name: string, version: number, signal?: AbortSignal) =>
    json<WorkflowVersion>(`/workflows/${at(name)}/versions/${version}`, { signal }),
  logs: (run: string, step: string, attempt: string | null, after: number, signal?: AbortSignal) =>
    json<LogPage>(`/runs/${at(run)}/steps/${at(step)}/logs${query({ attempt, after: String(after) })}`, { signal }),
  output: (run: string, step: string, signal?: AbortSignal) =>
    json<Json>(`/runs/${at(run)}/steps/${at(step)}/output`, { signal }),
  metrics: (run: string, step: string, signal?: AbortSignal) =>
    json<{ series: Series[] }>(`/runs/${at(run)}/steps/${at(step)}/metrics`, { signal }),
  files: (run: string, step: string, signal?: AbortSignal) =>
    json<{ files: StepFile[] }>(`/runs/${at(run)}/steps/${at(step)}/files`, { signal }),
  artifacts: (run: string, step: string, signal?: AbortSignal) =>
    json<ArtifactPage>(`/runs/${at(run)}/steps/${at(step)}/artifacts${query({ limit: "200" })}`, { signal }),
};

/** Fetches an image with the key, and returns an address for it whose type is the one given, whatever is in it. */
export async function picture(path: string, type: string, signal: AbortSignal): Promise<string> {
  const data = await (await request(path, { signal })).arrayBuffer();
  return URL.createObjectURL(new Blob([data], { type }));
}

/** Fetches a file with the key, which a plain link could not send, and hands it to the browser as a download. */
export async function download(path: string, name: string): Promise<void> {
  const used = key.value;
  const response = await fetch(`/api/v1${path}`, { headers: headers() });
  if (!response.ok) throw await problem(response, used);
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export function filePath(run: string, step: string, name: string): string {
  return `/runs/${at(run)}/steps/${at(step)}/files/${name.split("/").map(at).join("/")}`;
}

export function artifactPath(run: string, step: string, name: string): string {
  return `/runs/${at(run)}/steps/${at(step)}/artifacts/${name.split("/").map(at).join("/")}`;
}

export function outputPath(run: string, step: string): string {
  return `/runs/${at(run)}/steps/${at(step)}/output`;
}
