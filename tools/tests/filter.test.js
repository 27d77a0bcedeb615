import assert from "node:assert/strict";
import test from "node:test";
import { chips, parseSearch, tasksPath } from "../../static/js/filter.js";

test("known keys become filters, other words free text", () => {
  assert.deepEqual(parseSearch("queue:emails welcome mail"), { queue: "emails", q: "welcome mail" });
  assert.deepEqual(parseSearch('name:"send mail" tag:vip worker:w-1'), { name: "send mail", tag: "vip", worker: "w-1" });
  assert.deepEqual(parseSearch('"two words" http://x:80/y'), { q: "two words http://x:80/y" });
  assert.deepEqual(parseSearch("  "), {});
  assert.deepEqual(parseSearch('name:""'), { name: "" });
});

test("chips and the API's path come from the same address", () => {
  const query = new URLSearchParams("q=a+b&queue=x/y&status=failed&cursor=c%3D&tab=1");
  assert.deepEqual(chips(query), [{ key: "queue", value: "x/y" }, { key: "q", value: "a b" }]);
  assert.equal(tasksPath(query, 50), "/tasks?status=failed&queue=x%2Fy&q=a+b&cursor=c%3D&limit=50");
});
