import assert from "node:assert/strict";
import { test } from "node:test";
import { layersOf, layout, type Sizes } from "../src/layout.ts";

type Edges = [number, number][];
const SIZES: Sizes = { across: 180, gapAcross: 20, along: 46, gapAlong: 60 };

/** Edges of a random DAG: each step needs up to three of the earlier ones. */
function randomDag(count: number, seed: number): Edges {
  let state = seed;
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state % below;
  };
  const edges: Edges = [];
  for (let step = 1; step < count; step++) {
    const needs = new Set(Array.from({ length: next(4) }, () => Math.max(0, step - 1 - next(40))));
    for (const need of needs) edges.push([need, step]);
  }
  return edges;
}

test("a step lies below everything it needs", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const edges = randomDag(120, seed);
    const layers = layersOf(120, edges);
    for (const [from, to] of edges) assert.ok(layers[from] < layers[to]);
  }
});

test("a step without needs sits just above its first user", () => {
  assert.deepEqual(layersOf(4, [[0, 1], [1, 2], [3, 2]]), [0, 1, 2, 1]);
});

test("no two steps overlap and nothing lies outside", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { nodes, across, along } = layout(120, randomDag(120, seed), SIZES);
    const rows = Map.groupBy(nodes, (node) => node.along);
    for (const row of rows.values()) {
      const places = row.map((node) => node.across).sort((a, b) => a - b);
      for (let i = 1; i < places.length; i++) assert.ok(places[i] - places[i - 1] >= SIZES.across + SIZES.gapAcross - 1e-6);
    }
    for (const node of nodes) {
      assert.ok(node.across >= SIZES.across / 2 - 1e-6 && node.across <= across - SIZES.across / 2 + 1e-6);
      assert.ok(node.along >= SIZES.along / 2 - 1e-6 && node.along <= along - SIZES.along / 2 + 1e-6);
    }
  }
});

test("a diamond is symmetric and a chain is straight", () => {
  const diamond = layout(4, [[0, 1], [0, 2], [1, 3], [2, 3]], SIZES).nodes;
  assert.equal(diamond[0].across, diamond[3].across);
  assert.equal(diamond[1].across + diamond[2].across, 2 * diamond[0].across);
  const chain = layout(3, [[0, 1], [1, 2]], SIZES).nodes;
  assert.equal(new Set(chain.map((node) => node.across)).size, 1);
});

test("a long edge bends once in every layer that it passes", () => {
  const { bends } = layout(4, [[0, 1], [1, 2], [2, 3], [0, 3]], SIZES);
  assert.deepEqual(bends.map((list) => list.length), [0, 0, 0, 2]);
});

test("crossings that order alone can undo are undone", () => {
  const { nodes } = layout(6, [[0, 4], [1, 5], [2, 3]], SIZES);
  const side = (a: number, b: number) => Math.sign(nodes[a].across - nodes[b].across);
  assert.equal(side(0, 1), side(4, 5));
  assert.equal(side(1, 2), side(5, 3));
});

test("steps that come last lie behind all others, though nothing joins them", () => {
  const { layers } = layout(5, [[0, 1], [1, 2], [3, 4]], SIZES, 3);
  assert.deepEqual([...layers], [0, 1, 2, 3, 4]);
});

test("an empty plan and a cycle are laid out without a fault", () => {
  assert.equal(layout(0, [], SIZES).nodes.length, 0);
  assert.equal(layout(2, [[0, 1], [1, 0]], SIZES).nodes.length, 2);
});

test("ten thousand steps take under two seconds", () => {
  const edges = randomDag(10_000, 7);
  layout(1_000, randomDag(1_000, 7), SIZES);
  const start = performance.now();
  layout(10_000, edges, SIZES);
  assert.ok(performance.now() - start < 2_000);
});
