// Types of static/vendor/dagre.js, copied beside it by tools/vendor.sh. The browser never asks for them.
type Size = { width: number; height: number };
type Point = { x: number; y: number };

export class Graph {
  setGraph(label: { rankdir?: "LR" | "TB"; nodesep?: number; ranksep?: number; edgesep?: number; ranker?: string; width?: number; height?: number }): this;
  graph(): Size;
  setDefaultEdgeLabel(make: () => object): this;
  setNode(name: string, label: Size): this;
  setEdge(from: string, to: string): this;
  node(name: string): Size & Point;
  edge(from: string, to: string): { points: Point[] };
}
export function layout(graph: Graph): void;
