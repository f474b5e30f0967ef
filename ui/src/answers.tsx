/** What a person is asked for in the panel of a step: an approval, or what is to become of a step that is held. */
import { useSignal, type Signal } from "@preact/signals";
import { useMemo, useState } from "preact/hooks";
import { api, ApiError } from "./api.ts";
import { FieldRow } from "./fieldrow.tsx";
import { fields, read } from "./form.ts";
import { ended, type JsonObject, type StepRecord } from "./types.ts";

interface Props {
  run: string;
  record: StepRecord;
}

/** Yes or no, with the step's form; nothing when nobody is asked. */
export function Approval({ run, record }: Props) {
  const asked = record.detail?.approval as JsonObject | undefined;
  if (record.state !== "running" || !asked) return null;
  return <ApprovalForm key={record.key} run={run} record={record} form={(asked.form ?? {}) as { [name: string]: JsonObject }} />;
}

function ApprovalForm({ run, record, form }: Props & { form: { [name: string]: JsonObject } }) {
  const all = useMemo(() => fields(form), [form]);
  const [texts, setTexts] = useState<Record<string, string>>({});
  const [comment, setComment] = useState("");
  const problems = useSignal<Record<string, string>>({});
  const failure = useSignal<string | null>(null);
  const sent = useSignal(false);
  const say = (approved: boolean) => {
    const { params: values, problems: found } = read(all, texts);
    problems.value = approved ? found : {};
    if (approved && Object.keys(found).length) return;
    void sending(sent, failure, problems, () => api.answer(run, record.key, { approved, values: approved ? values : {}, comment }));
  };
  return (
    <form
      class="start ask"
      aria-label="Approve or reject"
      onSubmit={(event) => {
        event.preventDefault();
        say(true);
      }}
    >
      {all.map((field) => (
        <FieldRow
          key={field.name}
          field={field}
          text={texts[field.name] ?? field.initial}
          problem={problems.value[field.name]}
          onText={(text) => setTexts((before) => ({ ...before, [field.name]: text }))}
        />
      ))}
      <div class="field">
        <label for="answer-comment">Comment</label>
        <input id="answer-comment" value={comment} maxLength={2000} onInput={(event) => setComment(event.currentTarget.value)} />
      </div>
      {failure.value && <p class="banner">{failure.value}</p>}
      <p class="choices">
        <button class="primary" type="submit" disabled={sent.value}>
          Approve
        </button>
        <button type="button" disabled={sent.value} onClick={() => say(false)}>
          Reject
        </button>
      </p>
    </form>
  );
}

/** Try again, or let fail; nothing when the step is not held. */
export function Hold({ run, record }: Props) {
  const failure = useSignal<string | null>(null);
  const problems = useSignal<Record<string, string>>({});
  const sent = useSignal(false);
  if (record.state !== "held") return null;
  const decide = (action: "retry" | "fail") => void sending(sent, failure, problems, () => api.release(run, record.key, action));
  return (
    <section class="ask" aria-label="This step is held">
      {failure.value && <p class="banner">{failure.value}</p>}
      <p class="choices">
        <button class="primary" type="button" disabled={sent.value} onClick={() => decide("retry")}>
          Try again
        </button>
        <button type="button" disabled={sent.value} onClick={() => decide("fail")}>
          Let it fail
        </button>
      </p>
    </section>
  );
}

/** Lets a step that has not ended count as skipped, after being opened on purpose. */
export function Skip({ run, record }: Props) {
  const [reason, setReason] = useState("");
  const failure = useSignal<string | null>(null);
  const problems = useSignal<Record<string, string>>({});
  const sent = useSignal(false);
  if (ended(record.state)) return null;
  return (
    <details class="ask" key={record.key}>
      <summary>Skip this step</summary>
      {failure.value && <p class="banner">{failure.value}</p>}
      <div class="field">
        <label for="skip-reason">Why</label>
        <input id="skip-reason" value={reason} maxLength={1000} onInput={(event) => setReason(event.currentTarget.value)} />
      </div>
      <p class="choices">
        <button
          class="danger"
          type="button"
          disabled={sent.value}
          onClick={() => void sending(sent, failure, problems, () => api.skip(run, record.key, reason))}
        >
          Skip
        </button>
      </p>
    </details>
  );
}

async function sending(
  sent: Signal<boolean>,
  failure: Signal<string | null>,
  problems: Signal<Record<string, string>>,
  call: () => Promise<unknown>,
): Promise<void> {
  failure.value = null;
  sent.value = true;
  try {
    await call();
  } catch (error) {
    const refusal = error instanceof ApiError ? error : new ApiError(0, "The service does not answer.");
    problems.value = Object.fromEntries(refusal.errors.map((each) => [each.path.split(".")[1] ?? "", each.message]));
    failure.value = refusal.message;
  } finally {
    sent.value = false;
  }
}
