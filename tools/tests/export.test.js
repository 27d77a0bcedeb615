import assert from "node:assert/strict";
import test from "node:test";
import { cell, csvRow, elements } from "../../static/js/export.js";

test("tasks are taken out of a page as the texts they were", () => {
  const rows = ['{"id":"a","args":[9007199254740993,1.0],"meta":{"data":[1]}}', '{"id":"b","tags":["],"]}', "{}"];
  assert.deepEqual(elements(`{"data":[${rows.join(", ")}],"next_cursor":null,"prev_cursor":null}`), rows);
  assert.deepEqual(elements('{"data":[],"next_cursor":null}'), []);
  assert.deepEqual(elements('{"more":{"data":[1]},"data":[[1,2],3]}'), ["[1,2]", "3"]);
});

test("a spreadsheet runs nothing of it", () => {
  assert.deepEqual(["=1+1", "+1", "-1", "@x", "a,b", 'a"b', "a\nb", -5, null, [1]].map(cell), ["'=1+1", "'+1", "'-1", "'@x", '"a,b"', '"a""b"', '"a\nb"', "-5", "", "[1]"]);
  const task = '{"id": "i", "name": "n", "tags": ["a", "b"], "error": {"message": "no, never"}, "args": [9007199254740993, "x"]}';
  assert.match(csvRow(task), /^i,n,.*,a b,"no, never","\[9007199254740993,""x""\]",$/);
});
