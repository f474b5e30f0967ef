/** The steps as a table: what ran where, how often, for how long and why. */
import { useState } from "preact/hooks";
import { elapsed } from "./clock.ts";
import { progress, started, type StepGroup } from "./model.ts";
import { having, select } from "./router.ts";
import { StateMark } from "./states.tsx";
import { ended, type StepRecord } from "./types.ts";
import { howFar, sentence } from "./why.ts";

const PAGE = 200;

export function StepTable({ all, selected }: { all: StepGroup[]; selected: string | null }) {
  const [open, setOpen] = useState<Record<string, number>>({});
  return (
    <div class="scroll">
      <table class="steps">
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">State</th>
            <th scope="col">Queue</th>
            <th scope="col" class="number">
              Attempt
            </th>
            <th scope="col" class="number">
              Duration
            </th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        {all.map((group) => {
          const id = group.step.id;
          const shown = open[id] ?? 0;
          const toggle = group.items.length > 0 && {
            open: shown > 0,
            count: group.items.length,
            flip: () => setOpen({ ...open, [id]: shown ? 0 : PAGE }),
          };
          return (
            <tbody key={id}>
              <Row record={group.record} group={group} all={all} selected={selected} toggle={toggle || null} />
              {group.items.slice(0, shown).map((item) => (
                <Row key={item.key} record={item} group={group} all={all} selected={selected} toggle={null} />
              ))}
              {shown > 0 && group.items.length > shown && (
                <tr>
                  <td colSpan={6}>
                    <button class="more" type="button" onClick={() => setOpen({ ...open, [id]: shown + PAGE })}>
                      {group.items.length - shown} more items
                    </button>
                  </td>
                </tr>
              )}
            </tbody>
          );
        })}
      </table>
    </div>
  );
}

interface RowProps {
  record: StepRecord;
  group: StepGroup;
  all: StepGroup[];
  selected: string | null;
  toggle: { open: boolean; count: number; flip(): void } | null;
}

function Row({ record, group, all, selected, toggle }: RowProps) {
  const plain = record.state === "succeeded" && (!record.reason || record.reason === "succeeded");
  const why = plain ? "" : toggle && !ended(record.state) ? progress(group) : howFar(record) || sentence(record, group, all);
  return (
    <tr
      class={`${selected === record.key ? "selected" : ""} ${record.item === null ? "" : "item"}`}
      data-key={record.key}
      data-state={record.state}
      onClick={(event) => !(event.target as Element).closest("a,button") && select({ step: record.key, attempt: null })}
    >
      <td class="cell-id">
        <a href={having({ step: record.key, attempt: null })}>{record.key}</a>
        {toggle && (
          <button class="more" type="button" aria-expanded={toggle.open} onClick={toggle.flip}>
            {toggle.open ? "hide items" : `${toggle.count} items`}
          </button>
        )}
      </td>
      <td class="cell-state">
        <StateMark state={record.state} />
      </td>
      <td class="cell-queue">{record.queue ?? group.step.queue}</td>
      <td class="cell-attempt number">{record.attempt || ""}</td>
      <td class="cell-duration number">{elapsed(started(record), record.ended_at, !ended(record.state))}</td>
      <td class="cell-reason" title={why}>
        {why}
      </td>
    </tr>
  );
}
