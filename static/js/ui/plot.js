// One chart over time, drawn by uPlot, which is asked for once a chart is shown. What it draws is said in words beside it.
import { clock } from "../fmt.js";
import { now } from "../store.js";
import { theme, zone } from "./settings.js";
import { html, signal, useEffect, useRef, useSignal } from "../../vendor/preact.js";

const HEIGHT = 150;
const LEAST_DRAG_PX = 6;
const dark = matchMedia("(prefers-color-scheme: dark)");
const scheme = signal(dark.matches);
dark.addEventListener("change", () => { scheme.value = dark.matches; });

/** `shown`: what is said, where what is drawn is stacked · `xs`: seconds
 * @typedef {{ label: string, xs: number[], drawn: import("../charts.js").Series[], shown: import("../charts.js").Series[], top: number, format: (value: number) => string, tick: (value: number) => string, filled?: boolean, onZoom: (from: number, to: number) => void }} Props */

/** @param {Props} props */
export function Plot(props) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const chart = useRef(/** @type {any} */ (null));
  const latest = useRef(props);
  latest.current = props;
  const at = useSignal(/** @type {number | null} */ (null));
  useEffect(() => {
    let gone = false;
    /** @type {ResizeObserver | undefined} */
    let observer;
    import("../../vendor/uplot.js").then(({ default: UPlot }) => {
      const parent = box.current;
      if (gone || !parent) return;
      chart.current = new UPlot(options(parent, latest, at), dataOf(latest.current), parent);
      observer = new ResizeObserver(() => chart.current?.setSize({ width: parent.clientWidth, height: HEIGHT }));
      observer.observe(parent);
    });
    return () => {
      gone = true;
      observer?.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [theme.value, scheme.value, zone.value, props.drawn.length]);
  useEffect(() => {
    chart.current?.setData(dataOf(props), false);
    chart.current?.setScale("x", { min: props.xs[0], max: props.xs.at(-1) });
  }, [props.xs, props.drawn, props.top]);
  const index = at.value ?? props.xs.length - 1;
  return html`<dl class="legend">${props.shown.map(({ label, className, values }) => html`<div key=${label} class=${className}><dt>${label}</dt><dd>${said(values, index, at.value === null, props.format)}</dd></div>`)}
      <div class="when"><dt class="sr">at</dt><dd class="muted">${at.value === null ? "latest" : clock(new Date(props.xs[index] * 1000).toISOString(), now.value, zone.value)}</dd></div></dl>
    <div class="uplot-box" ref=${box} role="img" aria-label=${props.label}></div>`;
}

/** Where nothing was measured last, the last that was. @param {(number | null)[]} values @param {number} index @param {boolean} latest @param {(value: number) => string} format */
function said(values, index, latest, format) {
  const value = latest ? values.findLast((each) => each !== null) : values[index];
  return value === null || value === undefined ? "–" : format(value);
}

/** @param {Props} props */
function dataOf({ xs, drawn }) {
  return /** @type {any} */ ([xs, ...drawn.map(({ values }) => values)]);
}

/** @param {HTMLElement} parent @param {{ current: Props }} latest @param {import("../../vendor/preact.js").Signal<number | null>} at */
function options(parent, latest, at) {
  const colour = (/** @type {string} */ className) => colourOf(parent, className);
  const axis = { stroke: colour("muted"), grid: { stroke: colour("grid-line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  // Filled to the ground, the highest has to be drawn first.
  const filled = latest.current.filled;
  return {
    width: parent.clientWidth, height: HEIGHT, padding: /** @type {[number, number, number, number]} */ ([8, 18, 0, 0]), legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 }, y: false },
    scales: { x: { time: true }, y: { range: () => /** @type {[number, number]} */ ([0, latest.current.top]) } },
    axes: [
      { ...axis, size: 26, space: 70, values: (/** @type {any} */ _, /** @type {number[]} */ seconds) => seconds.map((each) => clock(new Date(each * 1000).toISOString(), now.value, zone.value).replace(/^.* /, "").replace(/:00$/, "")) },
      { ...axis, size: 62, space: 34, values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map((each) => latest.current.tick(each)) },
    ],
    series: [{}, ...latest.current.drawn.map(({ label, className }) => ({ label, stroke: colour(className), width: 1.75, points: { show: true, size: 5, filter: isolated }, ...(filled && { fill: colour(className) }) }))],
    ...(filled && { bands: latest.current.drawn.slice(1).map((_, index) => ({ series: /** @type {[number, number]} */ ([index + 2, index + 1]) })) }),
    hooks: {
      setCursor: [(/** @type {any} */ plot) => { at.value = plot.cursor.idx ?? null; }],
      setSelect: [(/** @type {any} */ plot) => {
        const { left, width } = plot.select;
        if (width < LEAST_DRAG_PX) return;
        latest.current.onZoom(plot.posToVal(left, "x") * 1000, plot.posToVal(left + width, "x") * 1000);
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
    },
  };
}

/** Where a value has no neighbour there is no line: it is drawn as a point. @param {any} plot @param {number} index */
function isolated(plot, index) {
  /** @type {(number | null)[]} */
  const values = plot.data[index];
  return values.flatMap((value, at) => (value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? [at] : []));
}

/** A colour of the stylesheet as a canvas takes it. @param {HTMLElement} parent @param {string} className */
function colourOf(parent, className) {
  const probe = document.createElement("i");
  probe.className = `${className} probe`;
  parent.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
