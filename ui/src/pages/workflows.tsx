/** All workflows with their newest version, their triggers and their last run. */
import { api } from "../api.ts";
import { second } from "../clock.ts";
import { ago, moment } from "../format.ts";
import { LinkMark, LostBanner } from "../link.tsx";
import { usePolled } from "../poll.ts";
import { StateMark } from "../states.tsx";
import { triggerText } from "../triggers.ts";
import type { WorkflowSummary } from "../types.ts";

export function WorkflowsPage() {
  const { value, link, failure } = usePolled("workflows", (signal) => api.workflows(signal));
  const all = value.value?.workflows;
  document.title = "Workflows · Segue";
  return (
    <main class="list">
      <div class="bar">
        <h1>Workflows</h1>
        <LinkMark link={link.value} />
      </div>
      <LostBanner link={link.value} />
      {failure.value && <p class="banner">{failure.value.message}</p>}
      {all && all.length > 0 && (
        <table class="workflows">
          <thead>
            <tr>
              <th scope="col">Workflow</th>
              <th scope="col">Version</th>
              <th scope="col">Triggers</th>
              <th scope="col">Last run</th>
            </tr>
          </thead>
          <tbody>
            {all.map((each) => (
              <Row key={each.name} workflow={each} />
            ))}
          </tbody>
        </table>
      )}
      {all?.length === 0 && (
        <div class="empty">
          <p>No workflows yet. Deploy the first one:</p>
          <pre class="command">segue deploy examples/train-digits/train.yaml</pre>
        </div>
      )}
      {!all && !failure.value && <p class="muted">Loading …</p>}
    </main>
  );
}

function Row({ workflow }: { workflow: WorkflowSummary }) {
  const last = workflow.last_run;
  return (
    <tr>
      <td class="cell-id">
        <a href={`/workflows/${encodeURIComponent(workflow.name)}`}>{workflow.name}</a>
        <div class="muted">{workflow.description}</div>
      </td>
      <td class="cell-version">v{workflow.version}</td>
      <td class="cell-triggers">{workflow.triggers.map(triggerText).join("; ") || <span class="muted">none</span>}</td>
      <td class="cell-last">
        {last ? (
          <a class="quiet" href={`/runs/${encodeURIComponent(last.id)}`} title={moment(last.created_at)}>
            <StateMark state={last.state} /> <span class="muted">{ago(last.created_at, second.value)}</span>
          </a>
        ) : (
          <span class="muted">never</span>
        )}
      </td>
    </tr>
  );
}
