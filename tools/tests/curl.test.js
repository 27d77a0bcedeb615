import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";
import { quote, submitBody, submitCurl } from "../../static/js/curl.js";

test("the body keeps payloads as written and drops defaults", () => {
  assert.equal(submitBody({ name: "n", args: "[ 9007199254740993, 1.0 ]", kwargs: "{}", queue: "", priority: 8, tags: null }), '{"name":"n","priority":8,"args":[9007199254740993,1.0]}');
});

test("a shell reads back what was quoted", () => {
  for (const text of ["it's", "$(id) `id` \\ \"", "a\nb", "''"]) {
    assert.equal(execFileSync("sh", ["-c", `printf %s ${quote(text)}`], { encoding: "utf8" }), text);
  }
});

test("the command names the endpoint", () => {
  assert.equal(submitCurl('{"name": "it\'s"}', "http://h:1"), `curl -X POST http://h:1/api/v1/tasks -H 'Content-Type: application/json' -d '{"name":"it'\\''s"}'`);
});
