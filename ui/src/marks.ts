/** The marks that lines of a log may carry, as GitHub Actions has them: levels, groups, and what a step tells. Pure. */

const LEVEL = /^::(debug|notice|warning|error)(?: [^:]*)?::/;
const GROUP = /^::group(?: [^:]*)?::/;
const END = /^::endgroup(?: [^:]*)?::/;
const TOLD = /^::(?:progress::\s*\d|metric(?:::|\s)\s*[^=\s]+=|checkpoint::\s*$)/;

export interface Mark {
  kind: "debug" | "notice" | "warning" | "error" | "group" | "endgroup" | "told" | "plain";
  text: string;
}

export function readMark(line: string): Mark {
  if (!line.startsWith("::")) return { kind: "plain", text: line };
  const level = LEVEL.exec(line);
  if (level) return { kind: level[1] as Mark["kind"], text: line.slice(level[0].length) };
  const group = GROUP.exec(line);
  if (group) return { kind: "group", text: line.slice(group[0].length) };
  if (END.test(line)) return { kind: "endgroup", text: "" };
  return { kind: TOLD.test(line) ? "told" : "plain", text: line };
}

export interface Folded {
  /** The indexes of the lines that are shown. */
  rows: number[];
  /** For each group's first line, by its index: whether it is open. */
  open: Map<number, boolean>;
}

/**
 * Folds the groups of a log.
 *
 * A group that has ended is folded, one that goes on is open, unless `flipped` says otherwise. As with GitHub's, a group
 * ends where the next begins.
 *
 * @param texts The lines.
 * @param first The number of the first of them in the whole log, by which `flipped` knows groups.
 */
export function fold(texts: readonly { text: string }[], flipped: ReadonlySet<number>, first = 0): Folded {
  const rows: number[] = [];
  const open = new Map<number, boolean>();
  const ends = groupEnds(texts);
  for (let at = 0; at < texts.length; at++) {
    const end = ends.get(at);
    if (end === undefined) {
      if (!END.test(texts[at].text)) rows.push(at);
      continue;
    }
    rows.push(at);
    const shown = (end === null) !== flipped.has(first + at);
    open.set(at, shown);
    if (!shown) at = (end ?? texts.length) - 1;
  }
  return { rows, open };
}

/** Where each group ends, by the index of its first line: the index of the line behind it; null when it goes on. */
function groupEnds(texts: readonly { text: string }[]): Map<number, number | null> {
  const ends = new Map<number, number | null>();
  let begun: number | null = null;
  for (let at = 0; at < texts.length; at++) {
    const { text } = texts[at];
    if (!text.startsWith("::")) continue;
    const starts = GROUP.test(text);
    if (begun !== null && (starts || END.test(text))) {
      ends.set(begun, starts ? at : at + 1);
      begun = null;
    }
    if (starts) {
      begun = at;
      ends.set(at, null);
    }
  }
  return ends;
}
