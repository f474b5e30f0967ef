/**
 * Places the steps of a plan in layers: pure arithmetic, no browser, O(steps + edges) but for the sorts.
 *
 * Every step lies one layer below the last step it needs (longest path); four barycentre sweeps order the layers so
 * that few edges cross; then each step moves as near to the middle of its neighbours as its layer allows. An edge
 * that spans several layers gets a bend point in each, so that it runs between the steps and not across them.
 *
 * Positions are `across` (within a layer) and `along` (from layer to layer); the painter decides which one is x.
 */

export interface Sizes {
  /** Extent of a step and the free space between two, within a layer. */
  across: number;
  gapAcross: number;
  /** The same from layer to layer. */
  along: number;
  gapAlong: number;
}

export interface Point {
  across: number;
  along: number;
}

export interface Layout {
  /** Centre of each step. */
  nodes: Point[];
  layers: Int32Array;
  /** For each edge the bend points between its two ends, often none. */
  bends: Point[][];
  /** Everything lies within (0, 0) and these. */
  across: number;
  along: number;
}

const ORDER_SWEEPS = 4;
const PLACE_SWEEPS = 8;
/** More bend points than this per step and edge are not worth their cost: the edges then run straight. */
const BENDS_PER_PART = 6;
/** How much of a step's extent a passing edge takes up in a layer. */
const BEND_EXTENT = 0.12;

/** The graph with a vertex for each bend point: vertices from `steps` on are bends. */
interface Network {
  steps: number;
  layers: number[];
  above: number[][];
  below: number[][];
  bends: number[][];
}

/**
 * Lays out `count` steps joined by `edges` (pairs of step numbers, from what is needed to what needs it). The steps from
 * number `main` on come after all before them, needed or not.
 */
export function layout(count: number, edges: readonly (readonly [number, number])[], sizes: Sizes, main = count): Layout {
  const network = withBends(count, edges, behind(layersOf(count, edges), main));
  const rows = order(network);
  const across = placeAcross(network, rows, sizes);
  const pitch = sizes.along + sizes.gapAlong;
  const point = (vertex: number): Point => ({
    across: across[vertex],
    along: sizes.along / 2 + network.layers[vertex] * pitch,
  });
  let extent = 0;
  for (let vertex = 0; vertex < across.length; vertex++) extent = Math.max(extent, across[vertex] + half(network, vertex, sizes));
  return {
    nodes: Array.from({ length: count }, (_, step) => point(step)),
    layers: Int32Array.from(network.layers.slice(0, count)),
    bends: network.bends.map((list) => list.map(point)),
    across: extent,
    along: Math.max(0, rows.length * pitch - sizes.gapAlong),
  };
}

/** Layer of each step: one more than the deepest step it needs; first steps move down to just above their users. */
export function layersOf(count: number, edges: readonly (readonly [number, number])[]): number[] {
  const below: number[][] = Array.from({ length: count }, () => []);
  const open = new Array<number>(count).fill(0);
  for (const [from, to] of edges) {
    below[from].push(to);
    open[to] += 1;
  }
  const layers = new Array<number>(count).fill(0);
  const first = open.map((needs) => needs === 0);
  const ready = Array.from(first.keys()).filter((step) => first[step]);
  for (let i = 0; i < ready.length; i++) {
    for (const next of below[ready[i]]) {
      layers[next] = Math.max(layers[next], layers[ready[i]] + 1);
      if (--open[next] === 0) ready.push(next);
    }
  }
  for (let step = 0; step < count; step++) {
    if (first[step] && below[step].length > 0) layers[step] = below[step].reduce((low, next) => Math.min(low, layers[next]), Infinity) - 1;
  }
  return layers;
}

/** Moves the layers of the steps from number `main` on below those of all the others. */
function behind(layers: number[], main: number): number[] {
  const depth = layers.slice(0, main).reduce((deepest, layer) => Math.max(deepest, layer + 1), 0);
  return layers.map((layer, step) => (step < main ? layer : layer + depth));
}

function withBends(count: number, edges: readonly (readonly [number, number])[], layers: number[]): Network {
  const spans = edges.reduce((sum, [from, to]) => sum + Math.max(0, layers[to] - layers[from] - 1), 0);
  const bent = spans <= BENDS_PER_PART * (count + edges.length);
  const all = layers.slice();
  const above: number[][] = Array.from({ length: count }, () => []);
  const below: number[][] = Array.from({ length: count }, () => []);
  const join = (from: number, to: number) => {
    below[from].push(to);
    above[to].push(from);
  };
  const bends = edges.map(([from, to]) => {
    const list: number[] = [];
    let last = from;
    for (let layer = layers[from] + 1; bent && layer < layers[to]; layer++) {
      const vertex = all.length;
      all.push(layer);
      above.push([]);
      below.push([]);
      join(last, vertex);
      list.push(vertex);
      last = vertex;
    }
    join(last, to);
    return list;
  });
  return { steps: count, layers: all, above, below, bends };
}

/** The vertices of each layer, from left to right. */
function order(network: Network): number[][] {
  const rows: number[][] = [];
  const seat = new Float64Array(network.layers.length);
  for (const vertex of depthFirst(network)) {
    const row = (rows[network.layers[vertex]] ??= []);
    seat[vertex] = row.length;
    row.push(vertex);
  }
  for (let layer = 0; layer < rows.length; layer++) rows[layer] ??= [];
  for (let sweep = 0; sweep < ORDER_SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const near = down ? network.above : network.below;
    for (const row of down ? rows : rows.slice().reverse()) {
      const wish = new Map(row.map((vertex) => [vertex, mean(near[vertex], seat) ?? seat[vertex]]));
      row.sort((a, b) => wish.get(a)! - wish.get(b)! || seat[a] - seat[b]);
      row.forEach((vertex, index) => (seat[vertex] = index));
    }
  }
  return rows;
}

/** Vertices so that those of one branch come together, first steps in plan order. */
function depthFirst(network: Network): number[] {
  const seen = new Uint8Array(network.layers.length);
  const found: number[] = [];
  for (let step = 0; step < network.steps; step++) {
    const stack = network.above[step].length === 0 || step === 0 ? [step] : [];
    while (stack.length > 0) {
      const vertex = stack.pop()!;
      if (seen[vertex]) continue;
      seen[vertex] = 1;
      found.push(vertex);
      for (let i = network.below[vertex].length - 1; i >= 0; i--) stack.push(network.below[vertex][i]);
    }
  }
  for (let vertex = 0; vertex < seen.length; vertex++) if (!seen[vertex]) found.push(vertex);
  return found;
}

function placeAcross(network: Network, rows: number[][], sizes: Sizes): Float64Array {
  const across = new Float64Array(network.layers.length);
  for (const row of rows) spread(row, row.map((_, index) => index), across, network, sizes);
  for (let sweep = 0; sweep < PLACE_SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const near = down ? network.above : network.below;
    const far = down ? network.below : network.above;
    for (const row of down ? rows : rows.slice().reverse()) {
      const wishes = row.map((vertex) => mean(near[vertex], across) ?? mean(far[vertex], across) ?? across[vertex]);
      spread(row, wishes, across, network, sizes);
    }
  }
  let low = Infinity;
  for (let vertex = 0; vertex < across.length; vertex++) low = Math.min(low, across[vertex] - half(network, vertex, sizes));
  return across.map((value) => value - low);
}

/**
 * Puts a row's vertices as near to their wishes as order and spacing allow, in the sense of least squares.
 *
 * With the spacing taken off, this is isotonic regression; pooling adjacent violators solves it in one pass.
 */
function spread(row: number[], wishes: number[], across: Float64Array, network: Network, sizes: Sizes): void {
  const offsets = new Float64Array(row.length);
  for (let i = 1; i < row.length; i++) {
    offsets[i] = offsets[i - 1] + half(network, row[i - 1], sizes) + sizes.gapAcross + half(network, row[i], sizes);
  }
  const pools: { sum: number; size: number }[] = [];
  for (let i = 0; i < row.length; i++) {
    let pool = { sum: wishes[i] - offsets[i], size: 1 };
    while (pools.length > 0 && pools[pools.length - 1].sum / pools[pools.length - 1].size > pool.sum / pool.size) {
      const last = pools.pop()!;
      pool = { sum: last.sum + pool.sum, size: last.size + pool.size };
    }
    pools.push(pool);
  }
  let i = 0;
  for (const pool of pools) {
    for (let n = 0; n < pool.size; n++, i++) across[row[i]] = pool.sum / pool.size + offsets[i];
  }
}

function half(network: Network, vertex: number, sizes: Sizes): number {
  return (vertex < network.steps ? sizes.across : sizes.across * BEND_EXTENT) / 2;
}

function mean(vertices: number[], values: Float64Array): number | null {
  if (vertices.length === 0) return null;
  let sum = 0;
  for (const vertex of vertices) sum += values[vertex];
  return sum / vertices.length;
}
