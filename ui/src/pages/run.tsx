/** One run, live: header, graph, tree, table and the panel of the selected step. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../api.ts";
import { elapsed } from "../clock.ts";
import { moment } from "../format.ts";
import { GraphPane } from "../graphpane.tsx";
import { JsonTree } from "../json.tsx";
import { LinkMark, LostBanner } from "../link.tsx";
import { LiveRun } from "../live.ts";
import { done, firstFailure, groups, selectedRecord } from "../model.ts";
import { StepPanel } from "../panel.tsx";
import { having, place, select } from "../router.ts";
import { StateMark } from "../states.tsx";
import { StepTable } from "../steptable.tsx";
import { StepTree } from "../tree.tsx";
import { ended, type Plan, type Run } from "../types.ts";
import { firstLine } from "../why.ts";

export function RunPage({ id }: { id: string }) {
  const [live, setLive] = useState<LiveRun | null>(null);
  useEffect(() => {
    const opened = new LiveRun(id);
    setLive(opened);
    return () => opened.close();
  }, [id]);
  return live && <Loaded id={id} live={live} />;
}

function Loaded({ id, live }: { id: string; live: LiveRun }) {
  const run = live.run.value;
  const plan = live.plan.value;
  document.title = `${run ? `${run.state} · ` : ""}${id} · Segue`;
  if (live.failure.value) {
    return (
      <main class="notice">
        <h1>{id}</h1>
        <p>{live.failure.value.message}</p>
        <p>
          Go to the <a href="/">list of runs</a>.
        </p>
      </main>
    );
  }
  if (!run || !plan) {
    return (
      <main class="notice">
        <LostBanner link={live.link.value} />
        <p class="muted">Loading {id} …</p>
      </main>
    );
  }
  return (
    <main class="run" data-state={run.state}>
      <Header run={run} live={live} />
      <LostBanner link={live.link.value} />
      <Body run={run} plan={plan} />
    </main>
  );
}

function Header({ run, live }: { run: Run; live: LiveRun }) {
  return (
    <header class="run-head">
      <div class="bar">
        <StateMark state={run.state} />
        <h1>{run.id}</h1>
        <LinkMark link={live.link.value} />
        <span class="spacer" />
        {run.temporal_url && (
          <a class="button" href={run.temporal_url} target="_blank" rel="noreferrer noopener">
            Temporal ↗
          </a>
        )}
        <Operations run={run} live={live} />
        {!ended(run.state) && <Cancel run={run} live={live} />}
      </div>
      <p class="facts">
        <a href={`/workflows/${encodeURIComponent(run.workflow)}`}>{run.workflow}</a> v{run.version}
        <span>
          {run.cause.kind}
          {run.cause.id && run.cause.kind !== "manual" ? ` (${run.cause.id})` : ""}
        </span>
        <span title={run.started_at ?? ""}>{moment(run.started_at ?? run.created_at)}</span>
        <span data-test="duration">{elapsed(run.started_at, run.ended_at, !ended(run.state)) || "not started"}</span>
        <Params run={run} />
      </p>
      <Cause run={run} />
      {run.stuck && (
        <p class="banner" role="alert" data-test="stuck">
          Stuck: {run.stuck}
        </p>
      )}
    </header>
  );
}

/** Why the run is as it is: the first failure with a way to it, or the run's own sentence. */
function Cause({ run }: { run: Run }) {
  const failure = run.state === "failed" || run.state === "running" ? firstFailure(run) : null;
  const telling = ended(run.state) || run.state === "paused";
  if (!failure) return telling && run.reason ? <p class="cause">{run.reason}</p> : null;
  // A run that failed for itself, by its time limit for instance, says so before the step that happened to fail.
  const own = run.state === "failed" && run.reason && !run.reason.startsWith(`step ${failure.step} `) ? `${run.reason}; ` : "";
  return (
    <p class="cause">
      {own}
      <a href={having({ step: failure.key, tab: null, attempt: null })}>{failure.key}</a> failed
      {failure.error ? `: ${failure.error.type}: ${firstLine(failure.error.message)}` : "."}
    </p>
  );
}

function Params({ run }: { run: Run }) {
  const entries = Object.entries(run.params);
  if (entries.length === 0) return null;
  return (
    <span class="params">
      {entries.slice(0, 8).map(([name, value]) => {
        const text = JSON.stringify(value);
        return (
          <span class="param" title={text.slice(0, 500)}>
            {name} <b>{text.length > 28 ? `${text.slice(0, 28)}…` : text}</b>
          </span>
        );
      })}
    </span>
  );
}

/** Pause and resume for a run that goes on; for one that failed or was cancelled, a way to go on. */
function Operations({ run, live }: { run: Run; live: LiveRun }) {
  const failure = useSignal<string | null>(null);
  const asked = useSignal(false);
  const operate = async (operation: "pause" | "resume" | "retry") => {
    asked.value = true;
    failure.value = null;
    try {
      await api.operate(run.id, operation);
      if (operation === "retry") void live.again();
      else await live.reload().catch(() => undefined);
    } catch (error) {
      failure.value = error instanceof ApiError ? error.message : "The service does not answer.";
    }
    asked.value = false;
  };
  const choice = (
    { running: ["pause", "Pause"], paused: ["resume", "Resume"], failed: ["retry", "Retry"], cancelled: ["retry", "Retry"] } as const
  )[run.state as string];
  if (!choice) return null;
  return (
    <>
      {failure.value && <span class="banner">{failure.value}</span>}
      <button type="button" disabled={asked.value} onClick={() => void operate(choice[0])}>
        {choice[1]}
      </button>
    </>
  );
}

function Cancel({ run, live }: { run: Run; live: LiveRun }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const failure = useSignal<string | null>(null);
  const asked = useSignal(false);
  const cancel = async () => {
    asked.value = true;
    try {
      await api.cancel(run.id);
      dialog.current?.close();
      await live.reload().catch(() => undefined);
    } catch (error) {
      asked.value = false;
      failure.value = error instanceof ApiError ? error.message : "The run could not be cancelled.";
    }
  };
  return (
    <>
      <button class="danger" type="button" disabled={asked.value} onClick={() => dialog.current!.showModal()}>
        {asked.value ? "Cancelling …" : "Cancel run"}
      </button>
      <dialog ref={dialog} aria-label="Cancel this run?">
        <h2>Cancel this run?</h2>
        <p>Steps that run are stopped; finished ones keep their outputs. This cannot be undone.</p>
        {failure.value && <p class="banner">{failure.value}</p>}
        <div class="row end">
          <button type="button" onClick={() => dialog.current!.close()}>
            Keep running
          </button>
          <button class="danger" type="button" disabled={asked.value} onClick={() => void cancel()}>
            Cancel run
          </button>
        </div>
      </dialog>
    </>
  );
}

const VIEWS = ["graph", "steps", "table"] as const;

function Body({ run, plan }: { run: Run; plan: Plan }) {
  const { query } = place.value;
  const all = useMemo(() => groups(plan, run), [plan, run]);
  const asked = query.get("view");
  const view = VIEWS.find((each) => each === asked) ?? "graph";
  const key = query.get("step");
  const chosen = selectedRecord(all, key);
  const onSelect = (step: string) => select({ step, attempt: null });
  const counted = done(all);
  return (
    <div class={`run-body view-${view}`}>
      <nav class="tabs views" aria-label="View">
        {VIEWS.map((each) => (
          <a
            class={`to-${each}`}
            href={having({ view: each === "graph" ? null : each })}
            aria-current={view === each ? "true" : undefined}
          >
            {each}
          </a>
        ))}
        <span class="muted">
          {counted.ended} of {counted.all} steps ended
        </span>
      </nav>
      <section class="tree-box" aria-label="Steps">
        <StepTree all={all} selected={key} onSelect={onSelect} />
      </section>
      <section class="stage">
        {view === "table" ? <StepTable all={all} selected={key} /> : <GraphPane all={all} selected={key} onSelect={onSelect} />}
      </section>
      {chosen ? (
        <StepPanel key={chosen.record.key} run={run.id} group={chosen.group} record={chosen.record} all={all} />
      ) : (
        <Summary run={run} plan={plan} />
      )}
    </div>
  );
}

/** What the panel shows while no step is selected: what went in and what came out. */
function Summary({ run, plan }: { run: Run; plan: Plan }) {
  return (
    <aside class="panel summary" aria-label="About this run">
      {plan.description && <p class="sentence">{plan.description}</p>}
      <h3>Output</h3>
      {run.output === null ? (
        <p class="muted">{ended(run.state) ? "none" : "there once the run has ended"}</p>
      ) : (
        <JsonTree value={run.output} />
      )}
      <h3>Params</h3>
      {Object.keys(run.params).length ? <JsonTree value={run.params} /> : <p class="muted">none</p>}
      <p class="muted hint">Choose a step to see why it is as it is, its logs and its output.</p>
    </aside>
  );
}
