// A workflow's graph as it is drawn: each task a box, or, where they are too many, those alike in one.
import { STATUSES } from "./status.js";

/** More than so many tasks are shown by status at first. */
export const MOST_BOXES = 80;
/** More than so many are not laid out one by one at all: it would take the browser seconds. */
export const MOST_LAID_OUT = 1_500;

/** `count` above 1: tasks alike, of which `node` is one.
 * @typedef {{ id: string, label: string, sub: string, status: Status | null, count: number, node: GraphNode }} Box */
/** @typedef {{ boxes: Box[], edges: { from: string, to: string, dashed: boolean }[] }} Drawing */

/** Every task a box. @param {WorkflowGraph} graph @returns {Drawing} */
export function whole({ nodes, edges }) {
  return {
    boxes: nodes.map((node) => ({ id: node.node, label: node.node, sub: node.name ?? "deleted", status: node.status, count: 1, node })),
    edges: edges.map(({ from, to, on_failure }) => ({ from, to, dashed: on_failure !== "skip" })),
  };
}

/** Tasks of one name and status at the same place in the graph are one box: what they wait for and what waits for them are alike.
 * @param {WorkflowGraph} graph @returns {Drawing} */
export function collapsed({ nodes, edges }) {
  const depths = depthsOf(nodes, edges);
  /** @type {Map<string, Box>} */
  const boxes = new Map();
  /** @type {Map<string, string>} */
  const boxOf = new Map();
  for (const node of nodes) {
    const key = JSON.stringify([depths.get(node.node), node.name, node.status]);
    const box = boxes.get(key);
    if (box) box.count += 1;
    else boxes.set(key, { id: key, label: node.node, sub: node.name ?? "deleted", status: node.status, count: 1, node });
    boxOf.set(node.node, key);
  }
  for (const box of boxes.values()) if (box.count > 1) box.label = `${box.count} tasks`;
  /** @type {Map<string, { from: string, to: string, dashed: boolean }>} */
  const joined = new Map();
  for (const edge of edges) {
    const [from, to] = [boxOf.get(edge.from), boxOf.get(edge.to)];
    if (!from || !to || from === to) continue;
    const key = `${from} ${to}`;
    const dashed = edge.on_failure !== "skip" && (joined.get(key)?.dashed ?? true);
    joined.set(key, { from, to, dashed });
  }
  return { boxes: [...boxes.values()], edges: [...joined.values()] };
}

/** The longest way to each node. Parents come before their children. @param {GraphNode[]} nodes @param {WorkflowGraph["edges"]} edges */
export function depthsOf(nodes, edges) {
  /** @type {Map<string, string[]>} */
  const parents = new Map();
  for (const { from, to } of edges) parents.set(to, [...(parents.get(to) ?? []), from]);
  /** @type {Map<string, number>} */
  const depths = new Map();
  for (const { node } of nodes) {
    let depth = 0;
    for (const parent of parents.get(node) ?? []) depth = Math.max(depth, (depths.get(parent) ?? 0) + 1);
    depths.set(node, depth);
  }
  return depths;
}

/** How many of the nodes are in each status, in the statuses' order. @param {GraphNode[]} nodes @returns {[Status, number][]} */
export function tally(nodes) {
  /** @type {Map<Status, number>} */
  const counts = new Map();
  for (const { status } of nodes) if (status) counts.set(status, (counts.get(status) ?? 0) + 1);
  return STATUSES.flatMap((status) => { const n = counts.get(status); return n ? [/** @type {[Status, number]} */ ([status, n])] : []; });
}
