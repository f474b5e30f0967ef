/** A field of a form made from JSON Schema: its label, its input, its help or what is wrong with it. */
import type { Field } from "./form.ts";

interface FieldProps {
  field: Field;
  text: string;
  problem: string | undefined;
  onText(text: string): void;
}

export function FieldRow({ field, text, problem, onText }: FieldProps) {
  const id = `param-${field.name}`;
  const props = { id, name: field.name, "aria-invalid": problem ? true : undefined, "aria-describedby": `${id}-help` };
  const onInput = (event: { currentTarget: { value: string } }) => onText(event.currentTarget.value);
  return (
    <div class="field">
      <label for={id}>{field.name}</label>
      {field.kind === "choice" ? (
        <select {...props} value={text} onChange={onInput}>
          {field.required && <option value="">choose</option>}
          {field.options.map((option) => (
            <option value={JSON.stringify(option)}>{String(option)}</option>
          ))}
        </select>
      ) : field.kind === "boolean" ? (
        <input {...props} type="checkbox" checked={text === "true"} onChange={(event) => onText(String(event.currentTarget.checked))} />
      ) : field.kind === "json" ? (
        <textarea {...props} rows={Math.min(8, text.split("\n").length + 1)} spellcheck={false} value={text} onInput={onInput} />
      ) : (
        <input {...props} inputMode={field.kind === "string" ? "text" : "decimal"} value={text} onInput={onInput} />
      )}
      <small id={`${id}-help`} class={problem ? "problem" : "muted"}>
        {problem ?? field.help}
      </small>
    </div>
  );
}
