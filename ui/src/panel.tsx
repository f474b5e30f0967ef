/** The panel of the selected step: why, logs, output, files. */
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Approval, Hold, Skip } from "./answers.tsx";
import { api, ApiError, filePath } from "./api.ts";
import { Artifacts } from "./artifacts.tsx";
import { elapsed } from "./clock.ts";
import { bytes, moment } from "./format.ts";
import { Digest, Download, JsonTree } from "./json.tsx";
import { LogView } from "./logview.tsx";
import { Metrics } from "./metrics.tsx";
import { started, WITHOUT_WORKER, type StepGroup } from "./model.ts";
import { having, place, select } from "./router.ts";
import { Served } from "./served.tsx";
import { Icon, LOOKS, StateMark } from "./states.tsx";
import { ended, type Attempt, type Json, type JsonObject, type StepFailure, type StepFile, type StepRecord } from "./types.ts";
import { edgeLook, howFar, ifLook, outcome, sentence, values } from "./why.ts";

const TABS = ["why", "logs", "metrics", "output", "files"] as const;
type Tab = (typeof TABS)[number];

interface Props {
  run: string;
  group: StepGroup;
  record: StepRecord;
  all: StepGroup[];
}

export function StepPanel({ run, group, record, all }: Props) {
  const { query } = place.value;
  const asked = query.get("tab") as Tab | null;
  const tab = asked && TABS.includes(asked) ? asked : "why";
  const facts = [
    record.kind,
    WITHOUT_WORKER.has(record.kind) ? "" : `queue ${record.queue ?? group.step.queue}`,
    record.attempt > 1 ? `attempt ${record.attempt}` : "",
    elapsed(started(record), record.ended_at, !ended(record.state)),
    record.worker ?? "",
  ];
  return (
    <aside class="panel" aria-label={`Step ${record.key}`}>
      <header class="panel-head">
        <h2>
          {record.key} <StateMark state={record.state} />
        </h2>
        <button class="close" type="button" aria-label="Close step" onClick={() => select({ step: null, tab: null, attempt: null })}>
          ✕
        </button>
        {group.step.description && <p class="description">{group.step.description}</p>}
        <p class="facts">{facts.filter(Boolean).join(" · ")}</p>
        {howFar(record) && <HowFar record={record} />}
      </header>
      <nav class="tabs" aria-label="About this step">
        {TABS.map((each) => (
          <a href={having({ tab: each === "why" ? null : each })} aria-current={tab === each ? "true" : undefined}>
            {each}
          </a>
        ))}
      </nav>
      <div class={`panel-body ${tab}`}>
        {tab === "why" && <Why run={run} group={group} record={record} all={all} />}
        {tab === "logs" && <Logs run={run} group={group} record={record} />}
        {tab === "metrics" && <Metrics run={run} record={record} />}
        {tab === "output" && (
          <>
            <Output run={run} record={record} />
            <Artifacts run={run} record={record} />
          </>
        )}
        {tab === "files" && <Files run={run} record={record} />}
      </div>
    </aside>
  );
}

function HowFar({ record }: { record: StepRecord }) {
  const { done, total } = record.progress!;
  const text = howFar(record);
  return (
    <p class="how-far">
      {total !== null && <progress max={total} value={done} aria-label={text} />} <span>{text}</span>
    </p>
  );
}

function Why({ run, group, record, all }: Props) {
  const { step } = group;
  const seenIf = ifLook(record);
  return (
    <>
      <p class="sentence" data-test="reason">
        <Reason text={sentence(record, group, all)} />
      </p>
      {record.state === "queued" && <Served queue={record.queue ?? step.queue} />}
      <Child record={record} />
      <Approval run={run} record={record} />
      <Hold run={run} record={record} />
      <Skip run={run} record={record} />
      {record.error && <Failure error={record.error} />}
      {group.items.length > 0 && record.item === null && <Items group={group} />}
      {step.needs.length > 0 && (
        <section>
          <h3>
            Needs <span class="muted">rule {step.trigger_rule}</span>
          </h3>
          <ul class="needs">
            {step.needs.map((edge) => {
              const need = all.find((other) => other.step.id === edge.step)?.record;
              const result = outcome(edge, need, group.record, step.trigger_rule);
              const seen = edgeLook(edge, group.record);
              return (
                <li key={edge.step} data-need={edge.step} data-outcome={result}>
                  {need && <Icon state={need.state} />}
                  <a href={having({ step: edge.step, tab: null, attempt: null })}>{edge.step}</a>
                  <span class="muted">{need ? LOOKS[need.state].word : ""}</span>
                  {edge.when && <Condition text={edge.when} result={result} seen={seen ? values(seen) : ""} />}
                </li>
              );
            })}
          </ul>
        </section>
      )}
      {step.condition && (
        <section>
          <h3>If</h3>
          <Condition
            text={step.condition}
            result={seenIf?.result == null ? "open" : seenIf.result ? "true" : "false"}
            seen={seenIf ? values(seenIf) : ""}
          />
        </section>
      )}
      {record.attempts.length > 0 && <Attempts attempts={record.attempts} />}
      <details class="definition">
        <summary>What it does</summary>
        <JsonTree value={step.action} />
      </details>
    </>
  );
}

/** The run that a step of kind `workflow` is. */
function Child({ record }: { record: StepRecord }) {
  const child = record.detail?.child as JsonObject | undefined;
  if (typeof child?.run !== "string") return null;
  return (
    <p>
      <a href={`/runs/${encodeURIComponent(child.run)}`}>{child.run}</a>
    </p>
  );
}

/** A sentence in which `...` is code. */
function Reason({ text }: { text: string }) {
  const parts = (text[0].toUpperCase() + text.slice(1)).split("`");
  return <>{parts.map((part, index) => (index % 2 ? <code>{part}</code> : part))}</>;
}

/** A condition, what became of it and the values that it saw. */
export function Condition({ text, result, seen }: { text: string; result: string; seen: string }) {
  const word = { true: "✓ true", false: "✕ false", moot: "not looked at", open: "not decided yet" }[result];
  return (
    <span class={`condition ${result}`}>
      <code>{text}</code> <strong>{word}</strong>
      {seen && <span class="seen">{seen}</span>}
    </span>
  );
}

function Failure({ error }: { error: StepFailure }) {
  const { log_tail: tail, ...rest } = error.detail ?? {};
  const lines = Array.isArray(tail) ? tail.map((line) => (typeof line === "string" ? line : text(line))).join("\n") : tail;
  return (
    <section class="failure">
      <h3>
        {error.type}{" "}
        {Object.entries(rest)
          .filter(([, value]) => typeof value === "number" || typeof value === "string")
          .map(([name, value]) => (
            <span class="fact">
              {name.replaceAll("_", " ")} {String(value).slice(0, 80)}
            </span>
          ))}
      </h3>
      <pre>{error.message}</pre>
      {typeof lines === "string" && lines !== "" && (
        <>
          <h4>Last lines of its log</h4>
          <pre class="tail">{lines}</pre>
        </>
      )}
    </section>
  );
}

function text(line: Json): string {
  return line && typeof line === "object" && "text" in line ? String(line.text) : JSON.stringify(line);
}

function Items({ group }: { group: StepGroup }) {
  return (
    <section>
      <h3>
        Items <span class="muted">{group.items.length}</span>
      </h3>
      <p class="counts">
        {group.counts!.map(([state, count]) => (
          <span class={`state ${state}`}>
            <Icon state={state} /> {count} {LOOKS[state].word}
          </span>
        ))}
      </p>
      <ul class="items">
        {group.items.slice(0, 100).map((item) => (
          <li key={item.key}>
            <Icon state={item.state} />
            <a href={having({ step: item.key, tab: null, attempt: null })}>{item.key}</a>
            <span class="muted">{elapsed(started(item), item.ended_at, !ended(item.state))}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Attempts({ attempts }: { attempts: Attempt[] }) {
  return (
    <section>
      <h3>Attempts</h3>
      <ol class="attempts">
        {attempts.map((each) => (
          <li key={each.attempt}>
            <span class="attempt-number">{each.attempt}</span>
            <StateMark state={each.state} />
            <span class="muted" title={each.started_at ? moment(each.started_at) : ""}>
              {elapsed(each.started_at, each.ended_at, !ended(each.state))}
            </span>
            <span class="muted">{each.worker}</span>
            {each.error && (
              <span class="attempt-error">
                {each.error.type}: {each.error.message.split("\n", 1)[0]}
              </span>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Logs({ run, group, record }: Omit<Props, "all">) {
  if (group.step.map && record.item === null) {
    return <p class="muted">A map writes no log of its own: choose one of its items.</p>;
  }
  if (record.state === "skipped" || record.state === "upstream_failed") return <p class="muted">It never ran.</p>;
  const { query } = place.value;
  return (
    <LogView
      run={run}
      step={record.key}
      attempt={query.get("attempt")}
      round={record.attempt}
      onAttempt={(attempt) => select({ attempt }, true)}
    />
  );
}

function isReference(value: Json): boolean {
  return value !== null && typeof value === "object" && !Array.isArray(value) && value.$segue === "json";
}

function Output({ run, record }: { run: string; record: StepRecord }) {
  const whole = useSignal<{ value: Json } | null>(null);
  const failure = useSignal<string | null>(null);
  const large = isReference(record.output);
  useEffect(() => {
    whole.value = null;
    failure.value = null;
    if (!large || Number((record.output as { size: number }).size) > 4 * 1024 * 1024) return;
    const stop = new AbortController();
    api.output(run, record.key, stop.signal).then(
      (value) => (whole.value = { value }),
      (error: unknown) => {
        if (!stop.signal.aborted) failure.value = error instanceof ApiError ? error.message : "The output cannot be read.";
      },
    );
    return () => stop.abort();
  }, [run, record.key, large]);
  if (record.state !== "succeeded") {
    return <p class="muted">{ended(record.state) ? "It has no output." : "Its output is there once it has succeeded."}</p>;
  }
  return (
    <>
      {large && <JsonTree value={record.output} />}
      {failure.value && <p class="banner">{failure.value}</p>}
      {(!large || whole.value) && <JsonTree value={large ? whole.value!.value : record.output} />}
    </>
  );
}

function Files({ run, record }: { run: string; record: StepRecord }) {
  const files = useSignal<StepFile[] | null>(null);
  const failure = useSignal<string | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    api.files(run, record.key, stop.signal).then(
      (answer) => (files.value = answer.files),
      (error: unknown) => {
        if (!stop.signal.aborted) failure.value = error instanceof ApiError ? error.message : "The files cannot be listed.";
      },
    );
    return () => stop.abort();
  }, [run, record.key, record.state]);
  if (failure.value) return <p class="banner">{failure.value}</p>;
  if (!files.value) return <p class="muted">Loading …</p>;
  if (files.value.length === 0) return <p class="muted">It left no files.</p>;
  return (
    <ul class="files">
      {files.value.map((file) => (
        <li key={file.name}>
          <Download path={filePath(run, record.key, file.name)} name={file.name} />
          <span class="muted">{bytes(file.size)}</span>
          <span class="muted">{file.kind}</span>
          {file.sha256 && <Digest sha256={file.sha256} />}
        </li>
      ))}
    </ul>
  );
}
