import assert from "node:assert/strict";
import { test } from "node:test";
import { fields, read } from "../src/form.ts";

const PARAMS = {
  dataset: { type: "string", enum: ["digits", "wine"], default: "digits" },
  rows: { type: "integer", minimum: 1, default: 1000 },
  rate: { type: "number" },
  dry: { type: "boolean", default: false },
  note: { type: "string", default: "" },
  grid: { type: "array", default: [{ depth: 4 }] },
};

test("each schema has its field", () => {
  assert.deepEqual(
    fields(PARAMS).map((field) => field.kind),
    ["choice", "integer", "number", "boolean", "string", "json"],
  );
});

test("only what was changed or has no default is sent", () => {
  assert.deepEqual(read(fields(PARAMS), { rate: "0.5" }), { params: { rate: 0.5 }, problems: {} });
  const texts = { dataset: '"wine"', rows: "5", rate: "1e-3", dry: "true", note: "a b", grid: "[1]" };
  assert.deepEqual(read(fields(PARAMS), texts).params, { dataset: "wine", rows: 5, rate: 0.001, dry: true, note: "a b", grid: [1] });
});

test("what is wrong is said by field", () => {
  const { problems } = read(fields(PARAMS), { rows: "1.5", grid: "[", rate: "" });
  assert.deepEqual(problems, { rows: "must be a whole number", rate: "is needed", grid: "is not JSON" });
});
