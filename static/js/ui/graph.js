// A graph as SVG: laid out by dagre from left to right, zoomed and moved by pointer, wheel, buttons or keys.
import { taskHref } from "../filter.js";
import * as fmt from "../fmt.js";
import { collapsed, MOST_BOXES, MOST_LAID_OUT, whole } from "../graph.js";
import { Icon, pathOf } from "./icon.js";
import { html, useEffect, useRef, useSignal } from "../../vendor/preact.js";

const WIDTH = 196;
const HEIGHT = 46;
const MARGIN = 16;
const LONGEST_LABEL = 23;
const ZOOM = 1.25;
/** Below this scale its words can't be read. */
const SMALLEST = 0.6;

/** @typedef {{ x: number, y: number, width: number, height: number }} View */
/** @typedef {import("../graph.js").Box & { x: number, y: number }} Placed */
/** @typedef {{ placed: Placed[], lines: { key: string, d: string, dashed: boolean }[], width: number, height: number }} Picture */

/** `listHref`: where the tasks of a box that stands for many are. @param {{ graph: WorkflowGraph, listHref: (status: Status | null, name: string | null) => string }} props */
export function Graph({ graph, listHref }) {
  const expand = useSignal(/** @type {boolean | null} */ (null));
  const follow = useSignal(false);
  const picture = useSignal(/** @type {Picture | null} */ (null));
  const view = useSignal(/** @type {View | null} */ (null));
  const large = graph.nodes.length > MOST_BOXES;
  const byStatus = expand.value === null ? large : !expand.value;
  const shape = `${byStatus} ${byStatus ? graph.nodes.map((node) => node.status).join() : graph.nodes.length}`;
  useEffect(() => {
    let current = true;
    layOut(byStatus ? collapsed(graph) : whole(graph)).then((made) => {
      if (!current) return;
      const first = !picture.value || picture.value.width !== made.width || picture.value.height !== made.height;
      picture.value = made;
      if (first) view.value = null;
    });
    return () => { current = false; };
  }, [shape]);
  const boxes = refreshed(picture.value, byStatus ? null : graph);
  useEffect(() => {
    const running = boxes.find((box) => box.status === "running");
    if (follow.value && running && picture.value) view.value = around(running, view.value ?? initial(picture.value));
  }, [follow.value, boxes.map((box) => box.status).join()]);
  return html`<div class="graph">
    <div class="toolbar">
      ${large && html`<label class="check"><input type="checkbox" checked=${byStatus} disabled=${graph.nodes.length > MOST_LAID_OUT} onChange=${() => { expand.value = byStatus; }} />Tasks alike in one box</label>`}
      <label class="check"><input type="checkbox" checked=${follow.value} onChange=${() => { follow.value = !follow.value; }} />Follow what runs</label>
      ${picture.value && html`<${Buttons} picture=${picture.value} view=${view} />`}
    </div>
    ${picture.value ? html`<${Canvas} picture=${picture.value} boxes=${boxes} view=${view} listHref=${listHref} />` : html`<div class="skeleton"><i></i><i></i><i></i></div>`}
  </div>`;
}

/** @param {{ picture: Picture, view: import("../../vendor/preact.js").Signal<View | null> }} props */
function Buttons({ picture, view }) {
  const zoom = (/** @type {number} */ by) => { view.value = scaled(view.value ?? initial(picture), by, 0.5, 0.5); };
  return html`<span class="actions"><button class="ghost" aria-label="Zoom in" title="Zoom in" onClick=${() => zoom(1 / ZOOM)}><${Icon} name="plus" /></button>
    <button class="ghost" aria-label="Zoom out" title="Zoom out" onClick=${() => zoom(ZOOM)}><${Icon} name="minus" /></button>
    <button class="ghost" aria-label="Show all of it" title="Show all of it" onClick=${() => { view.value = fitting(picture); }}><${Icon} name="fit" /></button></span>`;
}

/** @param {{ picture: Picture, boxes: Placed[], view: import("../../vendor/preact.js").Signal<View | null>, listHref: (status: Status | null, name: string | null) => string }} props */
function Canvas({ picture, boxes, view, listHref }) {
  const svg = useRef(/** @type {SVGSVGElement | null} */ (null));
  const held = useRef(/** @type {{ x: number, y: number, view: View, moved: boolean } | null} */ (null));
  const shown = view.value ?? initial(picture);
  const scale = () => shown.width / (svg.current?.clientWidth || 1);
  useEffect(() => {
    // Preact's listeners are passive where a wheel is concerned: the page would scroll too.
    const onWheel = (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = /** @type {SVGSVGElement} */ (svg.current).getBoundingClientRect();
      view.value = scaled(view.value ?? initial(picture), event.deltaY > 0 ? ZOOM : 1 / ZOOM, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    };
    svg.current?.addEventListener("wheel", onWheel, { passive: false });
    return () => svg.current?.removeEventListener("wheel", onWheel);
  }, [picture]);
  const onDown = (/** @type {PointerEvent} */ event) => { held.current = { x: event.clientX, y: event.clientY, view: shown, moved: false }; };
  const onMove = (/** @type {PointerEvent} */ event) => {
    const from = held.current;
    if (!from || !event.buttons) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    from.moved ||= Math.hypot(dx, dy) > 4;
    if (from.moved) view.value = { ...from.view, x: from.view.x - dx * scale(), y: from.view.y - dy * scale() };
  };
  // A drag that ends on a box is not a click on it.
  const onClick = (/** @type {MouseEvent} */ event) => { if (held.current?.moved) event.preventDefault(); held.current = null; };
  return html`<svg ref=${svg} class="canvas" role="group" aria-label=${`The graph, ${boxes.length} boxes`} viewBox=${`${shown.x} ${shown.y} ${shown.width} ${shown.height}`}
      style=${{ height: `${heightOf(picture)}px` }} onPointerDown=${onDown} onPointerMove=${onMove} onClickCapture=${onClick}>
    ${picture.lines.map(({ key, d, dashed }) => html`<path key=${key} class=${dashed ? "edge dashed" : "edge"} d=${d} />`)}
    ${boxes.map((box) => html`<${BoxView} key=${box.id} box=${box} href=${box.count > 1 ? listHref(box.status, box.node.name) : taskHref(box.node.id)} />`)}
  </svg>`;
}

/** @param {{ box: Placed, href: string }} props */
function BoxView({ box, href }) {
  const label = fmt.untrusted(box.label);
  const below = `${box.status ?? "unknown"} · ${fmt.untrusted(box.sub)}`;
  return html`<a class=${`box is-${box.status}`} href=${href} data-box=${label} transform=${`translate(${box.x - WIDTH / 2} ${box.y - HEIGHT / 2})`}>
    <title>${label} · ${below}</title>
    ${box.count > 1 && html`<rect class="under" x="4" y="4" width=${WIDTH} height=${HEIGHT} rx="6" />`}
    <rect width=${WIDTH} height=${HEIGHT} rx="6" /><path class="mark" transform="translate(10 15)" d=${pathOf(box.status ?? "info")} />
    <text x="34" y="19">${cut(label)}</text><text class="under-text" x="34" y="35">${cut(below)}</text></a>`;
}

/** @param {import("../graph.js").Drawing} drawing @returns {Promise<Picture>} */
async function layOut({ boxes, edges }) {
  const { Graph: Dagre, layout } = await import("../../vendor/dagre.js");
  const graph = new Dagre().setGraph({ rankdir: "LR", nodesep: 14, ranksep: 56 }).setDefaultEdgeLabel(() => ({}));
  for (const box of boxes) graph.setNode(box.id, { width: WIDTH, height: HEIGHT });
  for (const { from, to } of edges) graph.setEdge(from, to);
  layout(graph);
  const { width, height } = graph.graph();
  // From the middle of one side to the middle of the other, by way of where dagre leads between.
  const line = (/** @type {string} */ from, /** @type {string} */ to) => {
    const [start, end] = [graph.node(from), graph.node(to)];
    return curve([{ x: start.x + WIDTH / 2, y: start.y }, ...graph.edge(from, to).points.slice(1, -1).filter(({ x }) => x > start.x + WIDTH / 2 && x < end.x - WIDTH / 2), { x: end.x - WIDTH / 2, y: end.y }]);
  };
  const lines = edges.map(({ from, to, dashed }) => ({ key: `${from} ${to}`, dashed, d: line(from, to) }));
  return { placed: boxes.map((box) => ({ ...box, x: graph.node(box.id).x, y: graph.node(box.id).y })), lines, width, height };
}

/** Boxes stay where they are while their statuses change. @param {Picture | null} picture @param {WorkflowGraph | null} graph @returns {Placed[]} */
function refreshed(picture, graph) {
  if (!picture || !graph) return picture?.placed ?? [];
  const now = new Map(graph.nodes.map((node) => [node.node, node]));
  return picture.placed.map((box) => { const node = now.get(box.id); return node ? { ...box, node, status: node.status } : box; });
}

/** @param {{ x: number, y: number }[]} points */
function curve([first, ...rest]) {
  let [d, from] = [`M${first.x} ${first.y}`, first];
  for (const to of rest) {
    const middle = (from.x + to.x) / 2;
    d += `C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`;
    from = to;
  }
  return d;
}

/** All of it, or where it would be too small to read its beginning. @param {Picture} picture @returns {View} */
function initial(picture) {
  const all = fitting(picture);
  const [width, height] = [(innerWidth - 2 * MARGIN) / SMALLEST, heightOf(picture) / SMALLEST];
  if (all.width <= width) return all;
  return { x: all.x, y: all.height > height ? all.y : all.y - (height - all.height) / 2, width, height };
}

/** Of the drawing on the page. @param {Picture} picture */
function heightOf(picture) {
  return Math.min(620, Math.max(180, picture.height));
}

/** @param {Picture} picture @returns {View} */
function fitting({ width, height }) {
  return { x: -MARGIN, y: -MARGIN, width: Math.max(width, 3 * WIDTH) + 2 * MARGIN, height: height + 2 * MARGIN };
}

/** @param {View} view @param {number} by @param {number} atX @param {number} atY @returns {View} */
function scaled(view, by, atX, atY) {
  const [width, height] = [view.width * by, view.height * by];
  return { width, height, x: view.x + (view.width - width) * atX, y: view.y + (view.height - height) * atY };
}

/** @param {Placed} box @param {View} view @returns {View} */
function around(box, view) {
  return { ...view, x: box.x - view.width / 2, y: box.y - view.height / 2 };
}

/** @param {string} text */
function cut(text) {
  return text.length > LONGEST_LABEL ? `${text.slice(0, LONGEST_LABEL - 1)}…` : text;
}
