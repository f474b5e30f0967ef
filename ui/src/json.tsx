/** JSON as a tree that opens level by level; references to the object store as downloads. Text nodes only. */
import { useState } from "preact/hooks";
import { ApiError, download, filePath, outputPath } from "./api.ts";
import { bytes } from "./format.ts";
import type { Json, JsonObject } from "./types.ts";

const OPEN_DEPTH = 2;
const SHOWN_ENTRIES = 100;
const SHOWN_TEXT = 400;

export function JsonTree({ value }: { value: Json }) {
  return (
    <div class="json">
      <Value name={null} value={value} depth={0} />
    </div>
  );
}

interface ValueProps {
  /** The key or index under which the value stands; null at the top. */
  name: string | null;
  value: Json;
  depth: number;
}

function Value({ name, value, depth }: ValueProps) {
  const branch = value !== null && typeof value === "object" && !(!Array.isArray(value) && typeof value.$segue === "string");
  if (branch && Object.keys(value).length > 0) return <Branch name={name} value={value} depth={depth} />;
  return (
    <>
      {name !== null && <Name name={name} />}
      <Leaf value={value} />
    </>
  );
}

function Name({ name }: { name: string }) {
  return <span class="json-name">{name}: </span>;
}

function Leaf({ value }: { value: Json }) {
  if (value === null) return <span class="json-null">null</span>;
  if (typeof value === "string") return <Text text={value} />;
  if (Array.isArray(value)) return <span class="json-plain">[]</span>;
  if (typeof value !== "object") return <span class="json-plain">{String(value)}</span>;
  return typeof value.$segue === "string" ? <Reference reference={value} /> : <span class="json-plain">{"{}"}</span>;
}

function Text({ text }: { text: string }) {
  const [whole, setWhole] = useState(false);
  if (whole || text.length <= SHOWN_TEXT) return <span class="json-text">{JSON.stringify(text)}</span>;
  return (
    <span class="json-text">
      {JSON.stringify(text.slice(0, SHOWN_TEXT))}{" "}
      <button class="more" type="button" onClick={() => setWhole(true)}>
        all {text.length.toLocaleString()} characters
      </button>
    </span>
  );
}

function Branch({ name, value, depth }: ValueProps & { value: Json[] | JsonObject }) {
  const [open, setOpen] = useState(depth < OPEN_DEPTH);
  const [shown, setShown] = useState(SHOWN_ENTRIES);
  const list = Array.isArray(value);
  const entries = Object.entries(value) as [string, Json][];
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {name !== null && <Name name={name} />}
        {list ? `[${entries.length}]` : `{${entries.length}}`}
        {!open && <span class="json-brief"> {brief(value)}</span>}
      </summary>
      {open && (
        <ul>
          {entries.slice(0, shown).map(([key, part]) => (
            <li key={key}>
              <Value name={key} value={part} depth={depth + 1} />
            </li>
          ))}
          {entries.length > shown && (
            <li>
              <button class="more" type="button" onClick={() => setShown(shown + 1_000)}>
                {(entries.length - shown).toLocaleString()} more
              </button>
            </li>
          )}
        </ul>
      )}
    </details>
  );
}

function brief(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** A value that lies in the object store: what it is, and a way to get it. */
function Reference({ reference }: { reference: JsonObject }) {
  const name = String(reference.name ?? (reference.$segue === "json" ? "output.json" : "value.bin"));
  const address = addressOf(reference);
  return (
    <span class="reference">
      <span class="reference-kind">{String(reference.$segue)}</span>
      {address ? <Download path={address} name={name} /> : <span>{name}</span>}
      <span class="muted">{bytes(Number(reference.size))}</span>
      <Digest sha256={String(reference.sha256 ?? "")} />
    </span>
  );
}

/** Where the API gives a referenced object out, read from its key: `runs/<run>/<step>/<attempt>/<what>/<name>`. */
function addressOf(reference: JsonObject): string | null {
  const [root, run, step, , what, ...rest] = String(reference.key).split("/");
  if (root !== "runs" || !what) return null;
  if (reference.$segue === "json") return outputPath(run, step);
  const stored = rest.join("/");
  return stored ? filePath(run, step, stored) : null;
}

export function Digest({ sha256 }: { sha256: string }) {
  return sha256 ? (
    <code class="muted digest" title={`sha256 ${sha256}`}>
      sha256 {sha256.slice(0, 12)}…
    </code>
  ) : null;
}

export function Download({ path, name }: { path: string; name: string }) {
  const [state, setState] = useState("");
  const fetchIt = async () => {
    setState("…");
    try {
      await download(path, name);
      setState("");
    } catch (error) {
      setState(error instanceof ApiError ? error.message : "The download failed.");
    }
  };
  return (
    <>
      <button class="download" type="button" onClick={() => void fetchIt()}>
        ↓ {name}
      </button>
      {state && <span class="muted">{state}</span>}
    </>
  );
}
