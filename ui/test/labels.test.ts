import assert from "node:assert/strict";
import { test } from "node:test";
import { NODE_HEIGHT, NODE_WIDTH, overlap } from "../src/geometry.ts";
import { LABEL_HEIGHT, labelWidth, onCurve, placeLabels } from "../src/labels.ts";

const NODES = [
  { x: 200, y: 23 },
  { x: 100, y: 143 },
  { x: 312, y: 143 },
];
const ROUTES = [
  [{ x: 200, y: 46 }, { x: 100, y: 120 }],
  [{ x: 200, y: 46 }, { x: 312, y: 120 }],
];

test("a curve begins and ends where the edge does", () => {
  for (const downward of [true, false]) {
    const [a, b] = ROUTES[0];
    assert.deepEqual(onCurve(a, b, 0, downward), a);
    assert.deepEqual(onCurve(a, b, 1, downward), b);
  }
});

test("two branches' conditions do not cover each other, nor a step", () => {
  const texts = ["output.accuracy >= params.min_accuracy", "output.accuracy < params.min_accuracy"];
  const boxes = placeLabels(texts, ROUTES, NODES, true).map((spot, i) => ({
    x: spot!.x - labelWidth(texts[i]) / 2,
    y: spot!.y - LABEL_HEIGHT / 2,
    width: labelWidth(texts[i]),
    height: LABEL_HEIGHT,
  }));
  assert.equal(overlap(boxes[0], boxes[1]), false);
  for (const node of NODES) {
    const box = { x: node.x - NODE_WIDTH / 2, y: node.y - NODE_HEIGHT / 2, width: NODE_WIDTH, height: NODE_HEIGHT };
    for (const label of boxes) assert.equal(overlap(label, box), false);
  }
});

test("an edge without a condition has no label", () => {
  assert.deepEqual(placeLabels([null], [ROUTES[0]], NODES, true), [null]);
});
