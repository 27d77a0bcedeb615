import assert from "node:assert/strict";
import test from "node:test";
import { CHARTS, stacked, summary, topOf } from "../../static/js/charts.js";

const spread = (p50) => ({ count: 1, mean: p50, p50, p95: p50 && 2 * p50, p99: p50 && 3 * p50 });
const point = (more = {}) => ({ at: "2026-01-01T00:00:00Z", submitted: 60, succeeded: 30, failed_attempts: 6, success_rate: 0.9, wait_ms: spread(10), run_ms: spread(null), utilisation: null, waiting: { high: 1, medium: 2, low: 4 }, ...more });
const chart = (id) => CHARTS.find((each) => each.id === id);

test("figures become series", () => {
  const points = [point(), point({ waiting: null, success_rate: null })];
  assert.deepEqual(chart("throughput").of(points, 60_000).map(({ values }) => values[0]), [1, 0.5, 0.1]);
  assert.deepEqual(chart("success").of(points, 60_000)[0].values, [0.9, null]);
  assert.deepEqual(chart("wait").of(points, 60_000).map(({ values }) => values[0]), [10, 20, 30]);
  assert.deepEqual(chart("run").of(points, 60_000).map(({ values }) => values[0]), [null, null, null]);
  assert.deepEqual(stacked(chart("depth").of(points, 60_000)).map(({ values }) => values), [[1, null], [3, null], [7, null]]);
});

test("axes end at round numbers", () => {
  const of = (...values) => topOf([{ label: "", className: "", values }], 1);
  assert.deepEqual([of(0), of(1.5), of(17, null), of(501), of(99)], [1, 2, 20, 1000, 100]);
});

test("a chart can be read out", () => {
  const series = chart("wait").of([point(), point({ wait_ms: spread(5) })], 60_000);
  assert.equal(summary(chart("wait"), series.slice(0, 1), "1h"), "Wait over 1h: p50 5 ms at last, 10 ms at most");
  assert.equal(summary(chart("run"), chart("run").of([point()], 1).slice(0, 1), "1h"), "Run time over 1h: p50 nothing");
});
