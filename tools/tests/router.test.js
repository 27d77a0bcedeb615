import assert from "node:assert/strict";
import test from "node:test";
import { href, match } from "../../static/js/router.js";

test("each address has its page", () => {
  const cases = { "/ui": "overview", "/ui/": "overview", "/ui/tasks": "tasks", "/ui/tasks/": "tasks", "/ui/tasks/abc": "task", "/ui/queues": "queues", "/ui/queue": "queue",
    "/ui/dead-letters": "dead-letters", "/ui/workers": "workers", "/ui/actors": "actors", "/ui/new": "new", "/ui/zzz": "not-found", "/ui/tasks/a/b": "not-found" };
  for (const [path, page] of Object.entries(cases)) assert.equal(match(path).page, page, path);
});

test("parameters are decoded, and what can't be stays as it is", () => {
  assert.equal(match("/ui/tasks/a%2Fb").params.id, "a/b");
  assert.equal(match("/ui/tasks/%E0%A4%A").params.id, "%E0%A4%A");
});

test("a patch drops what is empty and keeps the rest", () => {
  const query = new URLSearchParams("status=failed&cursor=x&queue=a");
  assert.equal(href("tasks", query, { status: "", cursor: null, q: "a b&c" }), "tasks?queue=a&q=a+b%26c");
  assert.equal(href("tasks", new URLSearchParams()), "tasks");
  assert.equal(query.get("status"), "failed");
});
