import assert from "node:assert/strict";
import test from "node:test";
import { bodyOf, faultsOf, parse, textOf } from "../../static/js/sharing.js";

const RULE = { limit: 5, per: "1h", by: "rate_key", algorithm: "token_bucket", burst: 7, enabled: true };
const SHOWN = { ...RULE, used: 3, remaining: 2, next_permit_in_s: 0, source: "queue" };
const NONE = { concurrency: "", ageing: "", key_rate_limit: "", key_concurrency: "", fair_weights: "" };

test("what is set is shown as text, and means the same when it comes back", () => {
  const queue = { concurrency: 9, ageing: "10m", key_rate_limit: "5 per 1h", key_concurrency: 2, fair_weights: { "a=b": 3, c: 1 } };
  const text = textOf(queue);
  assert.deepEqual(text, { concurrency: "9", ageing: "10m", key_rate_limit: "5 per 1h", key_concurrency: "2", fair_weights: "a=b=3\nc=1" });
  assert.deepEqual(parse(text, "5 per 1h", SHOWN).set, { concurrency: 9, ageing: "10m", key_rate_limit: RULE, key_concurrency: 2, fair_weights: { "a=b": 3, c: 1 } });
  assert.deepEqual(textOf({ concurrency: null, ageing: null, key_rate_limit: null, key_concurrency: null, fair_weights: {} }), NONE);
  assert.deepEqual(parse(NONE, "", null).set, { concurrency: null, ageing: null, key_rate_limit: null, key_concurrency: null, fair_weights: {} });
});

test("a limit is a number and a time, and keeps what is not said", () => {
  const limit = (text, rule = null) => parse({ ...NONE, key_rate_limit: text }, "5 per 1h", rule).set?.key_rate_limit;
  assert.deepEqual(limit("100/1m"), { limit: 100, per: "1m" });
  assert.deepEqual(limit(" 100 per 30s "), { limit: 100, per: "30s" });
  assert.deepEqual(limit("6 per 1h", SHOWN), { ...RULE, limit: 6 });
  for (const wrong of ["100", "/1m", "a/1m", "100 / "]) assert.ok(parse({ ...NONE, key_rate_limit: wrong }, "", null).faults.key_rate_limit, wrong);
});

test("what cannot be understood is told at its field", () => {
  const { set, faults } = parse({ ...NONE, concurrency: "x", key_concurrency: "-1", fair_weights: "a=1\nb" }, "", null);
  assert.equal(set, undefined);
  assert.deepEqual(Object.keys(faults), ["concurrency", "key_concurrency", "fair_weights"]);
});

test("all other settings are sent along, a timeout only where one is set", () => {
  const queue = { name: "q", paused: true, weight: 3, timeout: null, retention: { success: "1h", others: null }, version: 9, total_queued: 4 };
  assert.deepEqual(JSON.parse(bodyOf(queue, SHOWN, { key_concurrency: 1 }, 8)),
    { paused: true, weight: 3, timeout: null, retention: { success: "1h", others: null }, rate_limit: RULE, key_concurrency: 1, version: 8 });
  assert.equal("timeout" in JSON.parse(bodyOf({ weight: 1 }, null, {}, 1)), false);
});

test("the server's faults go to their fields", () => {
  const errors = [{ pointer: "/ageing", detail: "w" }, { pointer: "/key_rate_limit/limit", detail: "x" }, { pointer: "/fair_weights/a~1b", detail: "y" }];
  assert.deepEqual(faultsOf({ errors }, "z"), { ageing: "w", key_rate_limit: "x", fair_weights: "a/b: y" });
  assert.deepEqual(faultsOf({}, "z"), { form: "z" });
});
