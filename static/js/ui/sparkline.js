// How a queue's tasks ended over the last hour, as small as a word.
import { useLive } from "../store.js";
import * as fmt from "../fmt.js";
import { html } from "../../vendor/preact.js";

const WIDTH = 90;
const HEIGHT = 24;

/** @param {{ queue: string }} props */
export function Sparkline({ queue }) {
  const { data } = useLive(`/stats/history?window=1h&step=2m&queue=${encodeURIComponent(queue)}`, { every: 60_000 });
  /** @type {StatsPoint[]} */
  const points = data?.points ?? [];
  const most = Math.max(1, ...points.map((point) => point.succeeded + point.failed_attempts));
  const width = WIDTH / Math.max(1, points.length);
  const [good, bad] = [total(points, "succeeded"), total(points, "failed_attempts")];
  const label = `In the last hour ${fmt.exact(good)} succeeded, ${fmt.exact(bad)} attempts failed`;
  return html`<svg class="sparkline" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${label}><title>${label}</title>
    <path class="ground" d=${`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
    ${points.map((point, index) => bar(index * width, width, HEIGHT, (point.succeeded * HEIGHT) / most, "is-success"))}
    ${points.map((point, index) => bar(index * width, width, HEIGHT - (point.succeeded * HEIGHT) / most, (point.failed_attempts * HEIGHT) / most, "is-failed"))}
  </svg>`;
}

/** @param {number} x @param {number} width @param {number} ground @param {number} height @param {string} className */
function bar(x, width, ground, height, className) {
  return height > 0 && html`<rect class=${className} x=${x} y=${ground - Math.max(1, height)} width=${width - 0.8} height=${Math.max(1, height)} />`;
}

/** @param {StatsPoint[]} points @param {"succeeded" | "failed_attempts"} field */
function total(points, field) {
  return points.reduce((sum, point) => sum + point[field], 0);
}
