import assert from "node:assert/strict";
import test from "node:test";
import { add, WINDOW_MS } from "../../static/js/rates.js";

const totals = (succeeded, failed_attempts = 0) => ({ succeeded, failed_attempts });
const last = (points) => [points.at(-1).completed, points.at(-1).failed];

test("a rate is a difference over the time it took", () => {
  const points = add(add([], totals(100, 1), 1000), totals(130, 2), 3000);
  assert.deepEqual(last(points), [15, 0.5]);
});

test("the first point, a gap and totals that fell have no rate", () => {
  const first = add([], totals(100), 1000);
  assert.deepEqual(last(first), [null, null]);
  assert.deepEqual(last(add(first, totals(500), 17_000)), [null, null]);
  assert.deepEqual(last(add(first, totals(5), 3000)), [null, 0]);
});

test("points leave the window", () => {
  const points = add(add([], totals(1), 0), totals(2), WINDOW_MS + 1);
  assert.equal(points.length, 1);
});
