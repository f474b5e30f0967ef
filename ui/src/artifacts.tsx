/** The artifacts of a step beside its output: links, and the images among them that a browser shows without risk. */
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { api, ApiError, artifactPath, picture } from "./api.ts";
import { bytes } from "./format.ts";
import { Digest, Download } from "./json.tsx";
import { ended, type ArtifactPage, type StepRecord } from "./types.ts";

/** Never SVG or HTML: they can hold scripts. */
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif"]);
const MAX_PICTURE_BYTES = 4 * 1024 * 1024;
const MAX_PICTURES = 12;

export function Artifacts({ run, record }: { run: string; record: StepRecord }) {
  const page = useSignal<ArtifactPage | null>(null);
  const failure = useSignal<string | null>(null);
  const over = ended(record.state);
  useEffect(() => {
    page.value = null;
    failure.value = null;
    if (!over) return;
    const stop = new AbortController();
    api.artifacts(run, record.key, stop.signal).then(
      (answer) => (page.value = answer),
      (error: unknown) => {
        if (!stop.signal.aborted) failure.value = error instanceof ApiError ? error.message : "The artifacts cannot be listed.";
      },
    );
    return () => stop.abort();
  }, [run, record.key, record.attempt, over]);
  if (failure.value) return <p class="banner">{failure.value}</p>;
  if (!page.value || page.value.artifacts.length === 0) return null;
  const { artifacts, made_by: made, next } = page.value;
  const pictures = artifacts.filter((each) => PICTURES.has(each.type) && each.size <= MAX_PICTURE_BYTES).slice(0, MAX_PICTURES);
  return (
    <section class="artifacts" data-test="artifacts">
      <h3>Artifacts</h3>
      {made && made.run !== run && (
        <p class="muted">
          Of run <a href={`/runs/${encodeURIComponent(made.run)}?step=${encodeURIComponent(made.step)}`}>{made.run}</a>, whose
          output was reused.
        </p>
      )}
      <ul class="files">
        {artifacts.map((each) => (
          <li key={each.name}>
            <Download path={artifactPath(run, record.key, each.name)} name={each.name} />
            <span class="muted">{bytes(each.size)}</span>
            <span class="muted">{each.type}</span>
            {each.sha256 && <Digest sha256={each.sha256} />}
          </li>
        ))}
      </ul>
      {next && <p class="muted">There are more: segue artifacts lists them.</p>}
      {pictures.map((each) => (
        <Picture key={each.name} path={artifactPath(run, record.key, each.name)} name={each.name} type={each.type} />
      ))}
    </section>
  );
}

function Picture({ path, name, type }: { path: string; name: string; type: string }) {
  const address = useSignal<string | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    let made: string | null = null;
    picture(path, type, stop.signal).then(
      (found) => {
        if (stop.signal.aborted) URL.revokeObjectURL(found);
        else address.value = made = found;
      },
      () => undefined, // the link above it says what is wrong
    );
    return () => {
      stop.abort();
      if (made) URL.revokeObjectURL(made);
    };
  }, [path, type]);
  return address.value ? <img class="picture" src={address.value} alt={name} title={name} /> : null;
}
