/** A form's text fields against a workflow's params: from JSON Schema to fields, from fields to JSON. Pure. */
import type { Json, JsonObject } from "./types.ts";

export type FieldKind = "choice" | "integer" | "number" | "boolean" | "string" | "json";

export interface Field {
  name: string;
  kind: FieldKind;
  /** What may be chosen. */
  options: Json[];
  required: boolean;
  /** The default as the field's text; empty when there is none. */
  initial: string;
  help: string;
}

export function fields(params: { [name: string]: JsonObject }): Field[] {
  return Object.entries(params).map(([name, schema]) => {
    const kind = kindOf(schema);
    const options = kind === "choice" ? (schema.enum as Json[]) : [];
    const given = schema.default;
    return {
      name,
      kind,
      options,
      required: given === undefined,
      initial: given === undefined ? "" : kind === "string" ? String(given) : JSON.stringify(given, null, kind === "json" ? 1 : 0),
      help: [schema.description, bounds(schema)].filter(Boolean).join(" · "),
    };
  });
}

function kindOf(schema: JsonObject): FieldKind {
  if (Array.isArray(schema.enum)) return "choice";
  const type = schema.type;
  return type === "integer" || type === "number" || type === "boolean" || type === "string" ? type : "json";
}

function bounds(schema: JsonObject): string {
  const words = { minimum: "at least", maximum: "at most", minLength: "min length", maxLength: "max length", pattern: "pattern" };
  return Object.entries(words)
    .filter(([key]) => schema[key] !== undefined)
    .map(([key, word]) => `${word} ${String(schema[key])}`)
    .join(", ");
}

/** The params to send, and what is wrong with the texts by field. A field left as it was is not sent. */
export function read(all: Field[], texts: Record<string, string>): { params: JsonObject; problems: Record<string, string> } {
  const params: JsonObject = {};
  const problems: Record<string, string> = {};
  for (const field of all) {
    const text = texts[field.name] ?? field.initial;
    if (text === field.initial && !field.required) continue;
    if (text.trim() === "" && field.kind !== "string") {
      if (field.required) problems[field.name] = "is needed";
      continue;
    }
    const value = parse(field.kind, text);
    if (value === undefined) problems[field.name] = { integer: "must be a whole number", number: "must be a number" }[field.kind as string] ?? "is not JSON";
    else params[field.name] = value;
  }
  return { params, problems };
}

function parse(kind: FieldKind, text: string): Json | undefined {
  if (kind === "string") return text;
  try {
    const value = JSON.parse(text) as Json;
    if (kind === "integer" && !Number.isInteger(value)) return undefined;
    if (kind === "number" && typeof value !== "number") return undefined;
    return value;
  } catch {
    return undefined;
  }
}
