/** The graph's canvas in the page: feeds it, and shows the condition pointed at. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { elapsed, second } from "./clock.ts";
import { GraphView, type Pointed } from "./graph.ts";
import { started, WITHOUT_WORKER, type StepGroup } from "./model.ts";
import type { EdgeLook, NodeLook } from "./paint.ts";
import { Condition } from "./panel.tsx";
import { LOOKS } from "./states.tsx";
import { ended } from "./types.ts";
import { edgeLook, outcome, values } from "./why.ts";

interface Props {
  all: StepGroup[];
  selected: string | null;
  onSelect(key: string): void;
  /** False for a plan without a run: nothing has a state yet. */
  live?: boolean;
}

export function GraphPane({ all, selected, onSelect, live = true }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<GraphView | null>(null);
  const choose = useRef(onSelect);
  choose.current = onSelect;
  const [pointed, setPointed] = useState<Pointed | null>(null);
  const edges = useMemo(() => edgeLooks(all), [all]);
  const own = all.find((group) => group.step.id === selected || group.items.some((item) => item.key === selected));
  const id = own?.step.id ?? null;
  // Read here, so that the durations in the nodes tick.
  const tick = all.some((group) => group.record.state === "running") ? second.value : 0;

  useEffect(() => {
    const made = new GraphView(canvas.current!, { onSelect: (key) => choose.current(key), onPoint: setPointed });
    view.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => view.current!.show(all.map((group) => nodeLook(group, live)), edges), [all, edges, tick]);
  useEffect(() => view.current!.select(id), [id]);

  const edge = pointed && edges[pointed.edge];
  return (
    <div class="graph">
      <canvas ref={canvas} role="img" aria-label="Graph of the steps; the tree of steps says the same" />
      <div class="graph-tools">
        <Tool name="Zoom in" shape="M8 3v10M3 8h10" onClick={() => view.current!.zoom(1.3)} />
        <Tool name="Zoom out" shape="M3 8h10" onClick={() => view.current!.zoom(1 / 1.3)} />
        <Tool name="Show everything" shape="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" onClick={() => view.current!.fit()} />
        <Tool name="Turn the graph" shape="M3 13V8a4 4 0 0 1 4-4h6M10 1l3 3l-3 3" onClick={() => view.current!.turn()} />
      </div>
      {edge && (
        <div class="tip" role="tooltip" ref={(tip) => keepInside(tip, pointed)}>
          <span class="muted">
            {all[edge.from].step.id} → {all[edge.to].step.id}
          </span>
          <Condition text={edge.condition!} result={edge.outcome} seen={seenBy(all, edge)} />
        </div>
      )}
    </div>
  );
}

function Tool({ name, shape, onClick }: { name: string; shape: string; onClick(): void }) {
  return (
    <button type="button" aria-label={name} title={name} onClick={onClick}>
      <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
        <path class="line" d={shape} />
      </svg>
    </button>
  );
}

function keepInside(tip: HTMLElement | null, at: Pointed): void {
  if (!tip) return;
  const { clientWidth, clientHeight } = tip.parentElement!;
  tip.style.left = `${Math.max(4, Math.min(at.x + 12, clientWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(at.y + 14, clientHeight - tip.offsetHeight - 4))}px`;
}

function seenBy(all: StepGroup[], edge: EdgeLook): string {
  const target = all[edge.to];
  const need = target.step.needs.find((each) => each.step === all[edge.from].step.id);
  const seen = need && edgeLook(need, target.record);
  return seen ? values(seen) : "";
}

function edgeLooks(all: StepGroup[]): EdgeLook[] {
  const index = new Map(all.map((group, at) => [group.step.id, at]));
  return all.flatMap((group, to) =>
    group.step.needs.map((need) => {
      const from = index.get(need.step)!;
      const result = outcome(need, all[from].record, group.record, group.step.trigger_rule);
      return { from, to, condition: need.when, outcome: result };
    }),
  );
}

function nodeLook({ step, record, items, counts }: StepGroup, live: boolean): NodeLook {
  const time = elapsed(started(record), record.ended_at, !ended(record.state));
  const what = WITHOUT_WORKER.has(step.kind) ? [step.kind] : [step.kind, step.queue];
  const found = new Map(counts ?? []);
  const many = items.length ? `${found.get("succeeded") ?? 0}/${items.length}` : "";
  const tries = record.attempt > 1 ? `↻${record.attempt}` : "";
  const now = record.state === "waiting" ? what : [`${LOOKS[record.state].word} ${many}`.trim(), time, tries];
  return {
    id: step.id,
    state: record.state,
    note: (live ? now : [...what, counts ? "map" : ""]).filter(Boolean).join(" · "),
    counts,
    final: step.phase === "finally",
  };
}
