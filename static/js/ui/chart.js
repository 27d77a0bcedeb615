// Live throughput as two lines, with what was read at the pointer. Begins at a minute and grows to five.
import * as fmt from "../fmt.js";
import { WINDOW_MS } from "../rates.js";
import { now, throughput } from "../store.js";
import { html, useSignal } from "../../vendor/preact.js";

/** @typedef {import("../rates.js").Point} Point */
/** What the plot shows: `span` ms up to `end`, from nought to `top`. @typedef {{ end: number, span: number, top: number }} Frame */
const WIDTH = 600;
const HEIGHT = 120;
const SHORTEST_MS = 60_000;
const FRESH_MS = 5_000;
/** @type {{ key: "completed" | "failed", label: string, className: string }[]} */
const LINES = [
  { key: "completed", label: "completed", className: "is-success" },
  { key: "failed", label: "failed attempts", className: "is-failed" },
];

export function Throughput() {
  const points = throughput.value;
  const pointer = useSignal(/** @type {number | null} */ (null));
  const last = points[points.length - 1];
  const end = last?.at ?? Date.now();
  const span = Math.min(WINDOW_MS, Math.max(SHORTEST_MS, end - (points[0]?.at ?? end)));
  const read = pointer.value === null ? last : nearest(points, end - span * (1 - pointer.value));
  const frame = { end, span, top: scale(points) };
  return html`<section class="panel chart" aria-labelledby="throughput">
    <header><h2 id="throughput">Throughput</h2><span class="muted">${age(read)}</span></header>
    <dl class="legend">
      ${LINES.map(({ key, label, className }) => html`<div class=${className}><dt>${label}</dt><dd><b>${figure(read?.[key])}</b> per second</dd></div>`)}
    </dl>
    <div class="plot" onPointerMove=${(/** @type {PointerEvent} */ event) => { pointer.value = fraction(event); }} onPointerLeave=${() => { pointer.value = null; }}>
      <span class="top">${fmt.rate(frame.top)}/s</span>
      <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${summary(last)}>
        <path class="grid" d=${`M0 0.5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}`} />
        ${LINES.map(({ key, className }) => html`<path class=${`line ${className}`} d=${path(points, key, frame)} />`)}
        ${read && read !== last && html`<path class="cursor" d=${`M${x(read.at, frame)} 0V${HEIGHT}`} />`}
      </svg>
      <div class="axis" aria-hidden="true"><span>${fmt.duration(Math.floor(span / 1000) * 1000)} ago</span><span>${age(last)}</span></div>
    </div>
  </section>`;
}

/** "now", unless it was read longer ago than a poll takes. @param {Point | undefined} point */
function age(point) {
  return point && now.value - point.at > FRESH_MS ? fmt.relative(point.at, now.value) : "now";
}

/** A round number at or above every point, at least 1. @param {Point[]} points */
function scale(points) {
  const most = Math.max(1, ...points.flatMap((point) => [point.completed ?? 0, point.failed ?? 0]));
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most) ?? most;
}

/** @param {number} at @param {Frame} frame */
function x(at, { end, span }) {
  return WIDTH * (1 - (end - at) / span);
}

/** A gap in the points breaks the line. @param {Point[]} points @param {"completed" | "failed"} key @param {Frame} frame */
function path(points, key, frame) {
  let pen = "M";
  let drawn = "";
  for (const point of points) {
    const value = point[key];
    if (value === null) pen = "M";
    else {
      drawn += `${pen}${x(point.at, frame).toFixed(1)} ${(HEIGHT - 1.5 - (value / frame.top) * (HEIGHT - 3)).toFixed(1)}`;
      pen = "L";
    }
  }
  return drawn;
}

/** @param {Point[]} points @param {number} at */
function nearest(points, at) {
  return points.reduce((best, point) => (Math.abs(point.at - at) < Math.abs(best.at - at) ? point : best), points[0]);
}

/** @param {PointerEvent} event */
function fraction(event) {
  const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
  return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
}

/** @param {number | null | undefined} value */
function figure(value) {
  return value === null || value === undefined ? "–" : fmt.rate(value);
}

/** @param {Point | undefined} last */
function summary(last) {
  return `Per second: now ${figure(last?.completed)} completed, ${figure(last?.failed)} failed`;
}
