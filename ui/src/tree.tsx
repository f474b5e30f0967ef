/** The steps as a tree for the keyboard and for screen readers: the same as the graph, and the same selection. */
import { useRef, useState } from "preact/hooks";
import { progress, type StepGroup } from "./model.ts";
import { Icon, LOOKS } from "./states.tsx";
import type { StepRecord } from "./types.ts";

const SHOWN_ITEMS = 200;

interface Props {
  all: StepGroup[];
  selected: string | null;
  onSelect(key: string): void;
}

export function StepTree({ all, selected, onSelect }: Props) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const list = useRef<HTMLUListElement>(null);
  const current = selected && all.some((group) => contains(group, selected, open)) ? selected : all[0]?.step.id;
  const toggle = (id: string, on: boolean) => {
    const next = new Set(open);
    if (on) next.add(id);
    else next.delete(id);
    setOpen(next);
  };
  const onKey = (event: KeyboardEvent) => {
    const items = [...list.current!.querySelectorAll<HTMLElement>('[role="treeitem"]')];
    const here = items.indexOf(document.activeElement as HTMLElement);
    const target = items[here];
    if (!target) return;
    const isOpen = target.getAttribute("aria-expanded");
    const moves: Record<string, () => void> = {
      ArrowDown: () => items[here + 1]?.focus(),
      ArrowUp: () => items[here - 1]?.focus(),
      Home: () => items[0].focus(),
      End: () => items[items.length - 1].focus(),
      ArrowRight: () => (isOpen === "false" ? toggle(target.dataset.key!, true) : isOpen && items[here + 1]?.focus()),
      ArrowLeft: () => (isOpen === "true" ? toggle(target.dataset.key!, false) : parentOf(target)?.focus()),
      Enter: () => onSelect(target.dataset.key!),
      " ": () => onSelect(target.dataset.key!),
    };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    moves[event.key]();
  };
  return (
    <ul class="tree" role="tree" aria-label="Steps" ref={list} onKeyDown={onKey}>
      {all.map((group) => (
        <li role="none" key={group.step.id}>
          <Row
            record={group.record}
            label={group.step.id}
            note={group.counts && group.items.length ? `${group.items.length} items` : ""}
            spoken={group.counts && group.items.length ? progress(group) : ""}
            level={1}
            expanded={group.items.length ? open.has(group.step.id) : null}
            selected={selected === group.step.id}
            stop={current === group.step.id}
            onSelect={onSelect}
            onToggle={(on) => toggle(group.step.id, on)}
          />
          {open.has(group.step.id) && (
            <ul role="group">
              {group.items.slice(0, SHOWN_ITEMS).map((item) => (
                <li role="none" key={item.key}>
                  <Row
                    record={item}
                    label={item.key}
                    note=""
                    spoken=""
                    level={2}
                    expanded={null}
                    selected={selected === item.key}
                    stop={current === item.key}
                    onSelect={onSelect}
                    onToggle={() => undefined}
                  />
                </li>
              ))}
              {group.items.length > SHOWN_ITEMS && (
                <li role="none" class="muted more-items">
                  {group.items.length - SHOWN_ITEMS} more in the table
                </li>
              )}
            </ul>
          )}
        </li>
      ))}
    </ul>
  );
}

interface RowProps {
  record: StepRecord;
  label: string;
  note: string;
  spoken: string;
  level: number;
  expanded: boolean | null;
  selected: boolean;
  /** Whether the Tab key stops here. */
  stop: boolean;
  onSelect(key: string): void;
  onToggle(open: boolean): void;
}

function Row({ record, label, note, spoken, level, expanded, selected, stop, onSelect, onToggle }: RowProps) {
  const word = LOOKS[record.state].word;
  return (
    <div
      role="treeitem"
      class="tree-row"
      aria-level={level}
      aria-selected={selected}
      aria-expanded={expanded ?? undefined}
      aria-label={[label, word, spoken].filter(Boolean).join(", ")}
      tabIndex={stop ? 0 : -1}
      data-key={record.key}
      data-state={record.state}
      onClick={() => onSelect(record.key)}
    >
      {expanded === null ? (
        <span class="twist" />
      ) : (
        <span
          class={`twist ${expanded ? "open" : "shut"}`}
          onClick={(event) => {
            event.stopPropagation();
            onToggle(!expanded);
          }}
        />
      )}
      <Icon state={record.state} />
      <span class="tree-label">{label}</span>
      <span class="tree-note">{note || word}</span>
    </div>
  );
}

function contains(group: StepGroup, key: string, open: ReadonlySet<string>): boolean {
  return group.step.id === key || (open.has(group.step.id) && group.items.some((item) => item.key === key));
}

function parentOf(row: HTMLElement): HTMLElement | null {
  return row.closest('[role="group"]')?.parentElement?.querySelector<HTMLElement>('[role="treeitem"]') ?? null;
}
