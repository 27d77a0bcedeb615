// The reference's reading of the API's description, also of the one that is served.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { fields, groups, limits, typeOf } from "../../static/js/docs/openapi.js";
import { curlOf, exampleBody, missing, requestOf } from "../../static/js/docs/request.js";

const real = JSON.parse(readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8"));
const words = (schema) => typeOf(schema, real).map(({ text }) => text).join("");

test("every operation stands under one tag", () => {
  const shown = groups(real).flatMap((group) => group.operations.map(({ method, path }) => `${method} ${path}`));
  const all = Object.entries(real.paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
  assert.deepEqual(shown.toSorted(), all.toSorted());
  assert.equal(groups(real)[0].name, "tasks");
});

test("a type is said in words, names without meaning of their own left out", () => {
  assert.equal(words({ type: ["string", "null"] }), "string or null");
  assert.equal(words({ oneOf: [{ $ref: "#/components/schemas/Duration" }, { type: "null" }] }), "Duration or null");
  assert.equal(words({ $ref: "#/components/schemas/Time" }), "string, date-time");
  assert.equal(words({ type: "array", items: { $ref: "#/components/schemas/Task" } }), "list of Task");
  assert.equal(words({ type: ["array", "null"], items: {} }), "list of anything or null");
  assert.equal(limits({ type: "string", minLength: 1, maxLength: 64 }), "1 to 64 characters");
  assert.equal(limits({ type: "integer", minimum: 0 }), "");
});

test("fields of the parts of an object are its fields", () => {
  const names = fields(real.components.schemas.TaskList, real).map(({ name }) => name);
  assert.ok(names.includes("data") && names.includes("total"), String(names));
});

test("a form makes a request and its curl", () => {
  const operation = {
    operationId: "x", method: "POST", path: "/q/{queue}", responses: {}, requestBody: { content: { "application/json": { example: { a: 1 } } } },
    parameters: [{ name: "queue", in: "path", schema: {} }, { name: "wait", in: "query", schema: {} }, { name: "X-Key", in: "header", schema: {} }],
  };
  const body = exampleBody(operation);
  assert.deepEqual(missing(operation, { values: {}, body }), ["queue"]);
  const request = requestOf(operation, { values: { "path.queue": "a/b", "query.wait": "1s", "header.X-Key": "k" }, body });
  assert.equal(request.url, "/q/a%2Fb?wait=1s");
  assert.equal(curlOf(request, "http://h"), `curl 'http://h/q/a%2Fb?wait=1s' -H 'X-Key: k' -H 'Content-Type: application/json' -d '{"a":1}'`);
  assert.equal(curlOf(requestOf({ ...operation, requestBody: undefined }, { values: {}, body: "" }), ""), "curl -X POST '/q/{queue}'");
});
