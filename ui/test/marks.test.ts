import assert from "node:assert/strict";
import { test } from "node:test";
import { brief, chart } from "../src/chart.ts";
import { fold, readMark } from "../src/marks.ts";

const log = (...texts: string[]) => texts.map((text) => ({ text }));

test("a mark is taken from its line, and what is none stays", () => {
  assert.deepEqual(readMark("::warning file=a.py::careful"), { kind: "warning", text: "careful" });
  assert.deepEqual(readMark("::group::Set up"), { kind: "group", text: "Set up" });
  assert.deepEqual(readMark("::metric loss=0.5"), { kind: "told", text: "::metric loss=0.5" });
  assert.deepEqual(readMark("::odd::x"), { kind: "plain", text: "::odd::x" });
  assert.deepEqual(readMark("std::error::x"), { kind: "plain", text: "std::error::x" });
});

test("a group that has ended is folded and one that goes on is open", () => {
  const lines = log("a", "::group::one", "b", "c", "::endgroup::", "d", "::group::two", "e");
  assert.deepEqual(fold(lines, new Set()).rows, [0, 1, 5, 6, 7]);
  assert.deepEqual(fold(lines, new Set([1])).rows, [0, 1, 2, 3, 5, 6, 7]);
  assert.deepEqual(fold(lines, new Set([6])).rows, [0, 1, 5, 6]);
  assert.deepEqual(fold(lines, new Set([101]), 100).rows, [0, 1, 2, 3, 5, 6, 7]);
  assert.deepEqual([...fold(lines, new Set()).open], [[1, false], [6, true]]);
});

test("a group ends where the next begins, and an end without a beginning is nothing", () => {
  assert.deepEqual(fold(log("::endgroup::", "a", "::group::1", "b", "::group::2", "c", "::endgroup::"), new Set()).rows, [1, 2, 4]);
});

test("a chart fills its box, with gaps where there was no number", () => {
  const drawn = chart({ name: "n", steps: [0, 5, 10, 15, 20], values: [1, 3, null, 2, 1], at: [] }, 100, 10);
  assert.equal(drawn?.path, "M0.0 10.0h0L25.0 0.0M75.0 5.0h0L100.0 10.0");
  assert.deepEqual([drawn?.low, drawn?.high, drawn?.from, drawn?.to, drawn?.last], [1, 3, 0, 20, 1]);
  assert.equal(chart({ name: "n", steps: [0], values: [null], at: [] }, 100, 10), null);
  assert.equal(chart({ name: "n", steps: [4], values: [7], at: [] }, 100, 10)?.path, "M50.0 5.0h0");
});

test("numbers are brief", () => {
  assert.deepEqual([0.931234, 12_500, 1.2e-7, 0, -3].map(brief), ["0.9312", "12,500", "1.2e-7", "0", "-3"]);
});
