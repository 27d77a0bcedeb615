// Throughput from polled totals: the difference of two polls over the time between them.

export const WINDOW_MS = 5 * 60_000;
const GAP_MS = 15_000;

/** Rates are per second; null after a gap, as an average over minutes would pass for a measurement.
 * @typedef {{ at: number, totals: Stats["totals"], completed: number | null, failed: number | null }} Point */

/** The points of the window with one more. @param {Point[]} points @param {Stats["totals"]} totals @param {number} at @returns {Point[]} */
export function add(points, totals, at) {
  const kept = points.filter((point) => at - point.at <= WINDOW_MS);
  const last = kept[kept.length - 1];
  const elapsed = last ? at - last.at : Infinity;
  if (elapsed <= 0) return points;
  return [...kept, {
    at,
    totals,
    completed: perSecond(elapsed, totals.succeeded - (last?.totals.succeeded ?? 0)),
    failed: perSecond(elapsed, totals.failed_attempts - (last?.totals.failed_attempts ?? 0)),
  }];
}

/** A negative difference is another database behind the same address. @param {number} elapsed ms @param {number} difference */
function perSecond(elapsed, difference) {
  return elapsed > GAP_MS || difference < 0 ? null : difference / (elapsed / 1000);
}
