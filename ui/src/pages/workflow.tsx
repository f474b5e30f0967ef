/** One workflow: what it is, its graph, a form that starts a run, its versions and its last runs. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { api, ApiError } from "../api.ts";
import { FieldRow } from "../fieldrow.tsx";
import { fields, read } from "../form.ts";
import { moment } from "../format.ts";
import { GraphPane } from "../graphpane.tsx";
import { LinkMark, LostBanner } from "../link.tsx";
import { groups } from "../model.ts";
import { usePolled } from "../poll.ts";
import { go } from "../router.ts";
import { triggerText } from "../triggers.ts";
import type { Plan, Run, Workflow } from "../types.ts";
import { RunTable } from "./runs.tsx";

export function WorkflowPage({ name }: { name: string }) {
  const { value, link, failure } = usePolled(name, (signal) => api.workflow(name, signal));
  const runs = usePolled(name, (signal) => api.runs({ workflow: name, limit: "10" }, signal)).value.value?.runs ?? [];
  const workflow = value.value;
  const plan = usePlan(name, workflow?.version ?? null);
  document.title = `${name} · Segue`;
  return (
    <main class="list workflow">
      <div class="bar">
        <h1>{name}</h1>
        {workflow && <span class="muted">v{workflow.version}</span>}
        <LinkMark link={link.value} />
      </div>
      <LostBanner link={link.value} />
      {failure.value && <p class="banner">{failure.value.message}</p>}
      {workflow && <About workflow={workflow} />}
      <div class="workflow-body">
        {plan && <StartForm key={workflow!.version} plan={plan} />}
        {plan && <Sketch plan={plan} />}
      </div>
      <h2>Last runs</h2>
      {runs.length ? <RunTable runs={runs} named={false} /> : <p class="muted">It has never run.</p>}
      {runs.length === 10 && <a href={`/?workflow=${encodeURIComponent(name)}`}>All runs →</a>}
      {workflow && <Versions workflow={workflow} />}
    </main>
  );
}

function usePlan(name: string, version: number | null): Plan | null {
  const [plan, setPlan] = useState<Plan | null>(null);
  useEffect(() => {
    if (version === null) return;
    const stop = new AbortController();
    api.version(name, version, stop.signal).then(
      (answer) => setPlan(answer.plan),
      () => undefined,
    );
    return () => stop.abort();
  }, [name, version]);
  return plan;
}

function About({ workflow }: { workflow: Workflow }) {
  return (
    <>
      {workflow.description && <p>{workflow.description}</p>}
      <p class="facts">
        {workflow.triggers.map((trigger) => (
          <span>{triggerText(trigger)}</span>
        ))}
        {Object.entries(workflow.labels).map(([name, value]) => (
          <span>
            {name}: {value}
          </span>
        ))}
      </p>
    </>
  );
}

function Sketch({ plan }: { plan: Plan }) {
  const all = useMemo(() => groups(plan, { steps: [] } as unknown as Run), [plan]);
  return (
    <section class="sketch" aria-label="Graph">
      <GraphPane all={all} selected={null} onSelect={() => undefined} live={false} />
    </section>
  );
}

function Versions({ workflow }: { workflow: Workflow }) {
  return (
    <>
      <h2>Versions</h2>
      <ul class="versions">
        {workflow.versions.slice(0, 20).map((each) => (
          <li key={each.version}>
            v{each.version} <span class="muted">{moment(each.created_at)}</span>{" "}
            <code class="muted">{each.plan_hash.slice(0, 19)}…</code>
          </li>
        ))}
      </ul>
    </>
  );
}

function StartForm({ plan }: { plan: Plan }) {
  const all = useMemo(() => fields(plan.params), [plan]);
  const [texts, setTexts] = useState<Record<string, string>>({});
  const problems = useSignal<Record<string, string>>({});
  const failure = useSignal<string | null>(null);
  const sending = useSignal(false);
  const start = async () => {
    const { params, problems: found } = read(all, texts);
    problems.value = found;
    failure.value = null;
    if (Object.keys(found).length) return;
    sending.value = true;
    try {
      const run = await api.start(plan.workflow, params);
      go(`/runs/${encodeURIComponent(run.id)}`);
    } catch (error) {
      const refusal = error instanceof ApiError ? error : new ApiError(0, "The run could not be started.");
      problems.value = Object.fromEntries(refusal.errors.map((each) => [each.path.split(".")[1] ?? "", each.message]));
      failure.value = refusal.message;
    } finally {
      sending.value = false;
    }
  };
  return (
    <form
      class="start"
      aria-label="Start a run"
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <h2>Start a run</h2>
      {all.map((field) => (
        <FieldRow
          key={field.name}
          field={field}
          text={texts[field.name] ?? field.initial}
          problem={problems.value[field.name]}
          onText={(text) => setTexts((before) => ({ ...before, [field.name]: text }))}
        />
      ))}
      {all.length === 0 && <p class="muted">It takes no params.</p>}
      {failure.value && <p class="banner">{failure.value}</p>}
      <button class="primary" type="submit" disabled={sending.value}>
        {sending.value ? "Starting …" : "Start run"}
      </button>
    </form>
  );
}
