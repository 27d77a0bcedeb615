// Rules of the dashboard's files that no compiler checks.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { STATUSES } from "../../static/js/status.js";

const root = new URL("../../static/", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
const all = readdirSync(root, { recursive: true }).map(String).filter((path) => statSync(new URL(path, root)).isFile());
const modules = all.filter((path) => path.endsWith(".js") && path !== "js/theme.js");
const own = all.filter((path) => path.endsWith(".js") && !path.startsWith("vendor/"));

test("index.html preloads each module, once", () => {
  const preloaded = [...read("index.html").matchAll(/modulepreload" href="([^"]+)"/g)].map(([, path]) => path);
  assert.deepEqual(preloaded.toSorted(), modules.toSorted());
});

test("nothing is inline and nothing comes from elsewhere", () => {
  const html = read("index.html");
  assert.doesNotMatch(html, /<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|https?:/i);
  for (const path of own) assert.doesNotMatch(read(path), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|style="|\sstyle='/, path);
  assert.doesNotMatch(read("app.css"), /@import|url\(/);
});

test("every status has a colour and an icon", () => {
  for (const status of STATUSES) {
    assert.match(read("app.css"), new RegExp(`\\.is-${status}\\b`), status);
    assert.match(read("js/ui/icon.js"), new RegExp(`^ {2}${status}: `, "m"), status);
  }
});

test("files are short", () => {
  for (const path of own) assert.ok(read(path).split("\n").length <= 180, path);
});

test("the whole dashboard is at most 80 KB compressed", () => {
  const total = all.reduce((sum, path) => sum + gzipSync(read(path)).length, 0);
  assert.ok(total <= 80_000, String(total));
});
