import assert from "node:assert/strict";
import test from "node:test";
import * as fmt from "../../static/js/fmt.js";

test("compact keeps three digits at most and rounds into the next unit", () => {
  const cases = [[0, "0"], [999, "999"], [1000, "1k"], [1234, "1.2k"], [99_949, "99.9k"], [99_951, "100k"], [270_112, "270k"], [999_949, "1000k"], [999_950, "1m"], [12_345_678, "12.3m"], [3e9, "3b"]];
  for (const [n, text] of cases) assert.equal(fmt.compact(n), text, String(n));
});

test("exact groups by three", () => {
  assert.equal(fmt.exact(1234567), "1\u202f234\u202f567");
  assert.equal(fmt.exact(12), "12");
  assert.equal(fmt.plural(1, "task"), "1 task");
  assert.equal(fmt.plural(2000, "task"), "2\u202f000 tasks");
});

test("durations have two units at most", () => {
  const cases = [[0, "0 ms"], [-5, "0 ms"], [850.4, "850 ms"], [1400, "1.4 s"], [9_949, "9.9 s"], [9_950, "10 s"], [59_600, "1 min"], [184_000, "3 min 4 s"], [3_600_000, "1 h"], [3_601_000, "1 h"], [190_800_000, "2 d 5 h"]];
  for (const [ms, text] of cases) assert.equal(fmt.duration(ms), text, String(ms));
});

test("a growing span is in whole seconds", () => {
  assert.equal(fmt.elapsed(-400), "0 s");
  assert.equal(fmt.elapsed(1_900), "1 s");
  assert.equal(fmt.elapsed(61_000), "1 min 1 s");
});

test("relative times name one unit, before or after now", () => {
  const cases = [[0, "just now"], [-12_000, "12 s ago"], [-90_000, "1 min ago"], [240_000, "in 4 min"], [500, "just now"], [-90_000_000, "1 d ago"]];
  for (const [offset, text] of cases) assert.equal(fmt.relative(1e12 + offset, 1e12), text, String(offset));
});

test("ids are told apart by their ends", () => {
  assert.equal(fmt.shortId("0193a1b2-0000-7000-8000-00deadbeef12"), "…adbeef12");
  assert.equal(fmt.shortId("short"), "short");
});

test("priorities fall into three classes", () => {
  assert.deepEqual([0, 3, 4, 6, 7, 9].map(fmt.priorityClass), ["low", "low", "medium", "medium", "high", "high"]);
});

test("text of users can't turn the reading direction", () => {
  assert.equal(fmt.untrusted("\u202egnp.exe\u0000\n\tok"), "\\u202egnp.exe\\u0000\n\tok");
  assert.equal(fmt.untrusted("مرحبا 👩‍👧"), "مرحبا 👩‍👧");
});
