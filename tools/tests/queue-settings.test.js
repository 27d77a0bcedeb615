import assert from "node:assert/strict";
import test from "node:test";
import { bodyOf, faultsOf, parse, textOf } from "../../static/js/queue-settings.js";

const RULE = { limit: 5, per: "1h", by: "rate_key", algorithm: "token_bucket", burst: 7, enabled: true };
const SHOWN = { ...RULE, used: 3, remaining: 2, next_permit_in_s: 0, source: "queue" };
const EMPTY = textOf({ weight: 1, fair_weights: {} });
const NO_RULES = { own: null, ofKeys: null };

test("what is set is shown as text, and means the same when it comes back", () => {
  const queue = {
    weight: 3, concurrency: 4, at_cap: "reject", max_depth: 100, rate_limit: "5 per 1h", ageing: "1m", max_retries: 0, timeout: null, max_age: "1h",
    retention: { success: "1h", others: null }, key_rate_limit: "5 per 1h", key_concurrency: 2, fair_weights: { "a=b": 3, c: 1 },
  };
  const text = textOf(queue);
  assert.deepEqual([text.timeout, text.fair_weights, text.keep_success, text.keep_others], ["none", "a=b=3\nc=1", "1h", ""]);
  const own = { ...RULE, by: "queue" };
  assert.deepEqual(parse(text, text, { own: { ...own, used: 1 }, ofKeys: SHOWN }).set, { ...queue, rate_limit: own, key_rate_limit: RULE });
});

test("nothing set stays nothing set", () => {
  const { set } = parse(EMPTY, EMPTY, NO_RULES);
  assert.equal("timeout" in set, false);
  for (const name of ["concurrency", "max_depth", "max_retries", "ageing", "max_age", "rate_limit", "key_rate_limit", "key_concurrency"]) assert.equal(set[name], null, name);
});

test("a limit is a number and a time, and keeps what is not said", () => {
  const shown = { ...EMPTY, key_rate_limit: "5 per 1h" };
  const limit = (text, rule = null) => parse({ ...EMPTY, key_rate_limit: text }, shown, { own: null, ofKeys: rule }).set?.key_rate_limit;
  assert.deepEqual(limit("100/1m"), { limit: 100, per: "1m" });
  assert.deepEqual(limit(" 100 per 30s "), { limit: 100, per: "30s" });
  assert.deepEqual(limit("6 per 1h", SHOWN), { ...RULE, limit: 6 });
  for (const wrong of ["100", "/1m", "a/1m", "100 / "]) assert.ok(parse({ ...EMPTY, key_rate_limit: wrong }, EMPTY, NO_RULES).faults.key_rate_limit, wrong);
});

test("what cannot be understood is told at its field", () => {
  const { set, faults } = parse({ ...EMPTY, key_concurrency: "-1", weight: "x", fair_weights: "a=1\nb" }, EMPTY, NO_RULES);
  assert.equal(set, undefined);
  assert.deepEqual(Object.keys(faults), ["weight", "key_concurrency", "fair_weights"]);
});

test("what the form does not have is sent along", () => {
  const queue = { name: "q", paused: true, retry: { strategy: "fixed" }, version: 9, total_queued: 4 };
  assert.deepEqual(JSON.parse(bodyOf(queue, { key_concurrency: 1 }, 8)), { paused: true, retry: { strategy: "fixed" }, key_concurrency: 1, version: 8 });
});

test("the server's faults go to their fields", () => {
  const errors = [{ pointer: "/key_rate_limit/limit", detail: "x" }, { pointer: "/fair_weights/a~1b", detail: "y" }, { pointer: "/retention/success", detail: "k" }];
  assert.deepEqual(faultsOf({ errors }, "z"), { key_rate_limit: "x", fair_weights: "a/b: y", keep_success: "k" });
  assert.deepEqual(faultsOf({}, "z"), { form: "z" });
});
