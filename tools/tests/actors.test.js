import assert from "node:assert/strict";
import test from "node:test";
import { guidesOf } from "../../static/js/pages/actors.js";

test("a level's line goes on to the last actor of that level", () => {
  const rows = ["root", "root/a", "root/a/x", "root/a/y", "root/b", "root/b/z"].map((path) => ({ path }));
  assert.deepEqual(guidesOf(rows), [[], [true], [true, true], [true, false], [false], [false, false]]);
});
