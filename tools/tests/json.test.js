import assert from "node:assert/strict";
import test from "node:test";
import { compactJson, members, pretty, prettyText, tokenize, visible } from "../../static/js/json.js";

test("numbers keep every digit", () => {
  for (const number of ["9007199254740993", "18446744073709551615", "-0", "1.0", "1.10", "1e400", "0.1E-7", "12345678901234567890.00"]) {
    assert.equal(prettyText(number), number);
    assert.equal(prettyText(`[${number}]`), `[${number}]`);
  }
});

test("strings keep their escapes", () => {
  const text = String.raw`"a\"b\\ \u00e9\n\/"`;
  assert.equal(prettyText(text), text);
});

test("short containers stay on one line, others are indented by two", () => {
  assert.equal(prettyText('{"a":[1,2,3],"b":{"c":{}},"d":[]}'), '{\n  "a": [1, 2, 3],\n  "b": {\n    "c": {}\n  },\n  "d": []\n}');
  assert.equal(prettyText(`["${"x".repeat(70)}",1]`), `[\n  "${"x".repeat(70)}",\n  1\n]`);
  assert.equal(prettyText("[]"), "[]");
  assert.equal(prettyText(" [ [ ] , { } ] "), "[\n  [],\n  {}\n]");
});

test("what is printed parses to the same value", () => {
  const values = [null, true, "", "\u2028\u0000\"\\", [[], [[]], {}], { a: { b: [1, { c: "d" }] }, "": 0, "e:f,": "[{" }];
  for (const value of values) {
    const text = JSON.stringify(value);
    assert.deepEqual(JSON.parse(prettyText(text)), value);
    assert.equal(compactJson(JSON.stringify(value, null, 4)), text);
  }
});

test("a key is told from a string", () => {
  const kinds = pretty('{"k":"s"}').filter(({ kind }) => kind !== "mark").map(({ kind, text }) => [kind, text]);
  assert.deepEqual(kinds, [["key", '"k"'], ["string", '"s"']]);
});

test("members are the exact text of each value", () => {
  const found = members('{"id": "x", "args": [ 1.0, {"a": 2} ] , "n":9007199254740993, "args2":{"args":[]}, "last": "}" }');
  assert.deepEqual([...found], [["id", '"x"'], ["args", '[ 1.0, {"a": 2} ]'], ["n", "9007199254740993"], ["args2", '{"args":[]}'], ["last", '"}"']]);
  assert.equal(members("{}").size, 0);
  assert.equal(members("[1]").size, 0);
});

test("nesting has no limit", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  assert.equal(tokenize(deep).length, 200_000);
  assert.equal(compactJson(deep), deep);
});

test("what isn't JSON is refused", () => {
  for (const text of ["{'a':1}", "[1,]x", '"open', "nul", "\u00a0"]) assert.throws(() => tokenize(text), SyntaxError);
});

test("invisible characters show as escapes that mean the same", () => {
  const text = JSON.stringify("\u202egnp.exe\u200b");
  assert.equal(visible(text), String.raw`"\u202egnp.exe\u200b"`);
  assert.equal(JSON.parse(visible(text)), "\u202egnp.exe\u200b");
});
