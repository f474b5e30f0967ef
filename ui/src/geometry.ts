/** Points, boxes and the size of a step on the canvas. */

export const NODE_WIDTH = 188;
export const NODE_HEIGHT = 46;

export interface Dot {
  x: number;
  y: number;
}

export interface Box extends Dot {
  width: number;
  height: number;
}

export function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

export function within(dot: Dot, box: Box): boolean {
  return dot.x >= box.x && dot.x <= box.x + box.width && dot.y >= box.y && dot.y <= box.y + box.height;
}

export function nodeBox(centre: Dot): Box {
  return { x: centre.x - NODE_WIDTH / 2, y: centre.y - NODE_HEIGHT / 2, width: NODE_WIDTH, height: NODE_HEIGHT };
}
