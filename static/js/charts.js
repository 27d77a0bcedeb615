// What the charts show: series of numbers made of the figures of each step. Pure, so that it is tested without a browser.
import * as fmt from "./fmt.js";

/** Windows one can choose. */
export const WINDOWS = ["5m", "1h", "24h"];
export const DEFAULT_WINDOW = "1h";

/** `className` has the colour · `values`: null where nothing was measured @typedef {{ label: string, className: string, values: (number | null)[] }} Series */
/** @typedef {{ id: string, title: string, hint: string, format: (value: number) => string, tick?: (value: number) => string, top?: number, least?: number, stacked?: boolean, of: (points: StatsPoint[], step: number) => Series[] }} Chart */

/** @type {Chart[]} */
export const CHARTS = [
  { id: "throughput", title: "Throughput", hint: "tasks per second", format: (value) => `${value ? fmt.rate(value) : 0}/s`, least: 0.1, of: (points, step) => [
    series("submitted", "is-queued", points, (point) => perSecond(point.submitted, step)),
    series("succeeded", "is-success", points, (point) => perSecond(point.succeeded, step)),
    series("failed attempts", "is-failed", points, (point) => perSecond(point.failed_attempts, step)),
  ] },
  { id: "success", title: "Success ratio", hint: "of tasks that ran to their end", format: percent, top: 1, of: (points) => [series("succeeded", "is-success", points, (point) => point.success_rate)] },
  { id: "wait", title: "Wait", hint: "from ready to started", format: fmt.duration, tick: span, of: (points) => percentiles(points, "wait_ms") },
  { id: "run", title: "Run time", hint: "of an attempt", format: fmt.duration, tick: span, of: (points) => percentiles(points, "run_ms") },
  { id: "depth", title: "Waiting tasks", hint: "by priority, on average", format: (value) => fmt.compact(Math.round(value)), stacked: true, least: 4, of: (points) => [
    series("high", "p-high", points, (point) => point.waiting?.high ?? null),
    series("medium", "p-medium", points, (point) => point.waiting?.medium ?? null),
    series("low", "p-low", points, (point) => point.waiting?.low ?? null),
  ] },
  { id: "utilisation", title: "Utilisation", hint: "share of the slots' time spent on tasks", format: percent, top: 1, of: (points) => [series("busy", "is-running", points, (point) => point.utilisation)] },
];

/** The last point is not over: its rate is of less time than a step, which the server's own rates know. @param {number} n @param {number} step ms */
function perSecond(n, step) {
  return n / (step / 1000);
}

/** @param {StatsPoint[]} points @param {"wait_ms" | "run_ms"} field */
function percentiles(points, field) {
  return [
    series("p50", "is-queued", points, (point) => point[field].p50),
    series("p95", "is-retry", points, (point) => point[field].p95),
    series("p99", "is-failed", points, (point) => point[field].p99),
  ];
}

/** @param {string} label @param {string} className @param {StatsPoint[]} points @param {(point: StatsPoint) => number | null} value @returns {Series} */
function series(label, className, points, value) {
  return { label, className, values: points.map(value) };
}

/** Each on top of those before: what is drawn, not what is said. @param {Series[]} all @returns {Series[]} */
export function stacked(all) {
  const sums = new Array(all[0]?.values.length ?? 0).fill(0);
  return all.map((one) => ({ ...one, values: one.values.map((value, index) => (value === null ? null : (sums[index] += value))) }));
}

/** A round number at or above every value, for the axis. @param {Series[]} all @param {number} least */
export function topOf(all, least) {
  const most = Math.max(least, ...all.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most) ?? most;
}

/** In words, for those who don't see it. @param {Chart} chart @param {Series[]} all @param {string} window */
export function summary({ title, format }, all, window) {
  const parts = all.map(({ label, values }) => {
    const known = values.flatMap((value) => (value === null ? [] : [value]));
    return known.length ? `${label} ${format(/** @type {number} */ (known.at(-1)))} at last, ${format(Math.max(...known))} at most` : `${label} nothing`;
  });
  return `${title} over ${window}: ${parts.join("; ")}`;
}

/** A span in one unit, as an axis has no room for two. @param {number} ms */
function span(ms) {
  const [size, unit] = ms < 1_000 ? [1, "ms"] : ms < 120_000 ? [1_000, "s"] : ms < 7_200_000 ? [60_000, "min"] : [3_600_000, "h"];
  return ms ? `${Math.round((10 * ms) / size) / 10} ${unit}` : "0";
}

/** @param {number} share */
function percent(share) {
  return `${(100 * share).toFixed(share > 0.99 && share < 1 ? 1 : 0)} %`;
}
