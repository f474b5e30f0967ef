/** Shows a log: only the lines in view are elements, so its length does not matter; with a search of its own. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { clock } from "./format.ts";
import { LogTail, MOST_LINES } from "./log.ts";
import { fold, readMark } from "./marks.ts";
import type { LogLine } from "./types.ts";

const LINE_PX = 18;
const SPARE_LINES = 20;

interface Props {
  run: string;
  step: string;
  attempt: string | null;
  /** Changes when a new attempt may have begun. */
  round: number;
  onAttempt(attempt: string | null): void;
}

export function LogView({ run, step, attempt, round, onAttempt }: Props) {
  const [tail, setTail] = useState<LogTail | null>(null);
  useEffect(() => {
    const opened = new LogTail(run, step, attempt);
    setTail(opened);
    return () => opened.close();
  }, [run, step, attempt, round]);
  return tail && <Lines tail={tail} chosen={attempt} onAttempt={onAttempt} />;
}

function Lines({ tail, chosen, onAttempt }: { tail: LogTail; chosen: string | null; onAttempt(attempt: string | null): void }) {
  const box = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(400);
  const [follow, setFollow] = useState(true);
  const [text, setText] = useState("");
  const [hit, setHit] = useState(0);
  const [flipped, setFlipped] = useState<ReadonlySet<number>>(new Set());
  const length = tail.length.value;
  const hits = useMemo(() => find(tail.lines, text), [tail, text, length]);
  // What is searched for may be in a group: then all of them are open.
  const folded = useMemo(() => (text ? null : fold(tail.lines, flipped, tail.dropped)), [tail, text === "", flipped, length]);
  const count = folded ? folded.rows.length : tail.lines.length;
  const place = hits.length ? hits[Math.min(hit, hits.length - 1)] : null;

  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setHeight(box.current!.clientHeight));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (follow) box.current!.scrollTop = box.current!.scrollHeight;
  }, [follow, length, count]);

  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    setTop(scrollTop);
    setFollow(scrollHeight - scrollTop - clientHeight < LINE_PX);
  };
  const goTo = (index: number) => {
    if (!hits.length) return;
    const next = (index + hits.length) % hits.length;
    setHit(next);
    setFollow(false);
    box.current!.scrollTop = hits[next] * LINE_PX - height / 2;
  };
  const onKey = (event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "f") {
      event.preventDefault();
      field.current!.select();
    }
  };
  const first = Math.max(0, Math.floor(top / LINE_PX) - SPARE_LINES);
  const last = Math.min(count, first + Math.ceil(height / LINE_PX) + 2 * SPARE_LINES);
  const shown = Array.from({ length: Math.max(0, last - first) }, (_, row) => (folded ? folded.rows[first + row] : first + row));
  const flip = (number: number) => {
    const next = new Set(flipped);
    if (!next.delete(number)) next.add(number);
    setFollow(false);
    setFlipped(next);
  };
  return (
    <div class="log" onKeyDown={onKey}>
      <div class="log-bar">
        <Attempts tail={tail} chosen={chosen} onAttempt={onAttempt} />
        <input
          ref={field}
          type="search"
          placeholder="Search this log"
          aria-label="Search this log"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setHit(0);
          }}
          onKeyDown={(event) => event.key === "Enter" && goTo(event.shiftKey ? hit - 1 : hit + (place === null ? 0 : 1))}
        />
        {text && (
          <span class="hits" role="status">
            {hits.length ? `${Math.min(hit, hits.length - 1) + 1}/${hits.length}` : "none"}
            <button type="button" aria-label="Previous match" onClick={() => goTo(hit - 1)}>
              ↑
            </button>
            <button type="button" aria-label="Next match" onClick={() => goTo(hit + 1)}>
              ↓
            </button>
          </span>
        )}
        <button type="button" aria-pressed={follow} onClick={() => setFollow(!follow)}>
          {follow ? "Following" : "Follow"}
        </button>
      </div>
      <div class="log-lines" ref={box} onScroll={scrolled} tabIndex={0} role="log" aria-label="Log lines" aria-live="off">
        <div class="log-space" style={{ height: `${count * LINE_PX}px` }}>
          <div class="log-window" style={{ transform: `translateY(${first * LINE_PX}px)` }}>
            {shown.map((index) => (
              <Line
                key={tail.dropped + index}
                line={tail.lines[index]}
                number={tail.dropped + index + 1}
                sought={text}
                current={place === index}
                open={folded?.open.get(index)}
                onFlip={flip}
              />
            ))}
          </div>
        </div>
      </div>
      <p class="log-end muted" role="status">
        {tail.failure.value ??
          [
            `${length.toLocaleString()} lines`,
            tail.dropped ? `the newest ${MOST_LINES.toLocaleString()} are kept` : "",
            tail.complete.value ? "complete" : tail.attempt.value ? "live" : "nothing written yet",
          ]
            .filter(Boolean)
            .join(" · ")}
      </p>
    </div>
  );
}

function Attempts({ tail, chosen, onAttempt }: { tail: LogTail; chosen: string | null; onAttempt(attempt: string | null): void }) {
  const folders = tail.attempts.value;
  if (folders.length < 2 && !chosen) return null;
  return (
    <select aria-label="Attempt" value={chosen ?? ""} onChange={(event) => onAttempt(event.currentTarget.value || null)}>
      <option value="">newest attempt</option>
      {folders.map((folder, index) => (
        <option value={folder}>attempt {index + 1}</option>
      ))}
    </select>
  );
}

interface LineProps {
  line: LogLine;
  number: number;
  sought: string;
  current: boolean;
  /** Of the first line of a group: whether it is open. */
  open: boolean | undefined;
  onFlip(number: number): void;
}

function Line({ line, number, sought, current, open, onFlip }: LineProps) {
  const mark = readMark(line.text);
  const shown = marked(mark.text, sought);
  return (
    <div class={`log-line ${line.stream} ${mark.kind} ${current ? "current" : ""}`} data-stream={line.stream} data-mark={mark.kind}>
      <span class="log-number" data-text={number} />
      <span class="log-time" data-text={clock(line.at)} />
      <span class="log-stream" title={line.stream} data-text={line.stream === "stderr" ? "err" : "out"} />
      {open === undefined ? (
        <span class="log-text">{shown}</span>
      ) : (
        <button class="log-text" type="button" aria-expanded={open} onClick={() => onFlip(number - 1)}>
          {shown}
        </button>
      )}
    </div>
  );
}

function marked(text: string, sought: string) {
  if (!sought) return text;
  const parts = [];
  const lower = text.toLowerCase();
  const wanted = sought.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0 && parts.length < 200; at = lower.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), <mark>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  return [...parts, text.slice(from)];
}

function find(lines: LogLine[], text: string): number[] {
  if (!text) return [];
  const wanted = text.toLowerCase();
  const found: number[] = [];
  for (let i = 0; i < lines.length; i++) if (lines[i].text.toLowerCase().includes(wanted)) found.push(i);
  return found;
}
