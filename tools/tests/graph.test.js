import assert from "node:assert/strict";
import test from "node:test";
import { collapsed, depthsOf, tally, whole } from "../../static/js/graph.js";

const node = (name, status, task = "work") => ({ node: name, id: name, status, name: task, queue: "q", started_at: null, finished_at: null });
const edge = (from, to, on_failure = "skip") => ({ from, to, on_failure });
const fan = {
  id: "w", state: "running",
  nodes: [node("plan", "success"), ...Array.from({ length: 1000 }, (_, n) => node(`part-${n}`, n < 3 ? "failed" : "queued")), node("merge", "pending", "merge"), node("mend", "pending", "mend")],
  edges: [...Array.from({ length: 1000 }, (_, n) => [edge("plan", `part-${n}`), edge(`part-${n}`, "merge")]).flat(), edge("merge", "mend", "run")],
};

test("tasks alike are one box, and the edges between boxes one edge", () => {
  const { boxes, edges } = collapsed(fan);
  assert.deepEqual(boxes.map(({ label, status, count }) => [label, status, count]), [["plan", "success", 1], ["3 tasks", "failed", 3], ["997 tasks", "queued", 997], ["merge", "pending", 1], ["mend", "pending", 1]]);
  assert.equal(edges.length, 5);
  assert.equal(edges.filter(({ dashed }) => dashed).length, 1);
});

test("nothing is lost when all is shown", () => {
  const { boxes, edges } = whole(fan);
  assert.equal(boxes.length, 1003);
  assert.equal(edges.length, 2001);
});

test("depths and tallies", () => {
  assert.equal(depthsOf(fan.nodes, fan.edges).get("mend"), 3);
  assert.deepEqual(tally(fan.nodes), [["pending", 2], ["queued", 997], ["success", 1], ["failed", 3]]);
});
