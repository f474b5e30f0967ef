/** The list of runs, newest first, kept up to date. State, workflow and page are in the address. */
import { api } from "../api.ts";
import { elapsed, second } from "../clock.ts";
import { ago, moment } from "../format.ts";
import { LinkMark, LostBanner } from "../link.tsx";
import { usePolled } from "../poll.ts";
import { having, place, select } from "../router.ts";
import { StateMark } from "../states.tsx";
import { RUN_STATES, ended, type RunSummary } from "../types.ts";

export function RunsPage() {
  const { query } = place.value;
  const state = query.get("state");
  const workflow = query.get("workflow");
  const cursor = query.get("cursor");
  const { value, link, failure } = usePolled(`${state} ${workflow} ${cursor}`, (signal) =>
    api.runs({ state, workflow, cursor, limit: "50" }, signal),
  );
  const names = usePolled("names", (signal) => api.workflows(signal)).value.value?.workflows.map((each) => each.name);
  const page = value.value;
  document.title = "Runs · Segue";
  return (
    <main class="list">
      <div class="bar">
        <h1>Runs</h1>
        <LinkMark link={link.value} />
        <WorkflowFilter chosen={workflow} names={names ?? []} />
      </div>
      <nav class="chips" aria-label="State">
        {[null, ...RUN_STATES].map((each) => (
          <a href={having({ state: each, cursor: null })} aria-current={state === each ? "true" : undefined}>
            {each ? <StateMark state={each} /> : "all"}
          </a>
        ))}
      </nav>
      <LostBanner link={link.value} />
      {failure.value && <p class="banner">{failure.value.message}</p>}
      {page && page.runs.length > 0 && <RunTable runs={page.runs} />}
      {page && page.runs.length === 0 && <Empty filtered={Boolean(state || workflow || cursor)} />}
      {!page && !failure.value && <p class="muted">Loading …</p>}
      <nav class="pages" aria-label="Pages">
        {cursor && <a href={having({ cursor: null })}>← Newest</a>}
        {page?.next && <a href={having({ cursor: page.next })}>Older →</a>}
      </nav>
    </main>
  );
}

function WorkflowFilter({ chosen, names }: { chosen: string | null; names: string[] }) {
  const all = chosen && !names.includes(chosen) ? [chosen, ...names] : names;
  return (
    <label class="filter">
      Workflow{" "}
      <select
        value={chosen ?? ""}
        onChange={(event) => select({ workflow: event.currentTarget.value || null, cursor: null })}
      >
        <option value="">all</option>
        {all.map((name) => (
          <option value={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

function Empty({ filtered }: { filtered: boolean }) {
  if (filtered) {
    return (
      <div class="empty">
        <p>No run matches.</p>
        <a href="/">Show all runs</a>
      </div>
    );
  }
  return (
    <div class="empty">
      <p>No runs yet. Start the first one:</p>
      <pre class="command">segue run examples/train-digits/train.yaml</pre>
      <p class="muted">It appears here by itself.</p>
    </div>
  );
}

/** A table of runs; `workflow` leaves out the column that would say the same in every row. */
export function RunTable({ runs, named = true }: { runs: RunSummary[]; named?: boolean }) {
  return (
    <table class="runs">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Run</th>
          {named && <th scope="col">Workflow</th>}
          <th scope="col">Started by</th>
          <th scope="col">Created</th>
          <th scope="col" class="number">
            Duration
          </th>
          <th scope="col">Why</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <RunRow key={run.id} run={run} named={named} />
        ))}
      </tbody>
    </table>
  );
}

function RunRow({ run, named }: { run: RunSummary; named: boolean }) {
  const active = !ended(run.state);
  return (
    <tr class={active ? "active" : ""} data-run={run.id} data-state={run.state}>
      <td class="cell-state">
        <StateMark state={run.state} />
      </td>
      <td class="cell-id">
        <a href={`/runs/${encodeURIComponent(run.id)}`}>{run.id}</a>
      </td>
      {named && (
        <td class="cell-workflow">
          <a class="quiet" href={`/workflows/${encodeURIComponent(run.workflow)}`}>
            {run.workflow}
          </a>{" "}
          <span class="muted">v{run.version}</span>
        </td>
      )}
      <td class="cell-cause" title={run.cause.id}>
        {run.cause.kind}
      </td>
      <td class="cell-created" title={moment(run.created_at)}>
        {ago(run.created_at, second.value)}
      </td>
      <td class="cell-duration number">{elapsed(run.started_at, run.ended_at, active)}</td>
      <td class="cell-reason" title={run.stuck ?? run.reason ?? ""}>
        {run.stuck ? `stuck: ${run.stuck}` : run.reason}
      </td>
    </tr>
  );
}
