// Rules of the dashboard's files that no compiler checks.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import test from "node:test";
import { STATUSES } from "../../static/js/status.js";

const root = new URL("../../static/", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
const all = readdirSync(root, { recursive: true }).map(String).filter((path) => statSync(new URL(path, root)).isFile());
const PAGES = [["index.html", "js/main.js"], ["docs.html", "js/docs/main.js"]];
const own = all.filter((path) => path.endsWith(".js") && !path.startsWith("vendor/"));

/** All modules that one imports, itself among them. */
const imported = (path, found = new Set()) => {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, name] of read(path).matchAll(/^(?:import|export) [^;]*? from "(\.[^"]+)";/gm)) imported(new URL(name, new URL(path, root)).href.slice(root.href.length), found);
  return found;
};

test("each page preloads its modules, once, and no file is left over", () => {
  const used = new Set(["js/theme.js"]);
  for (const [page, entry] of PAGES) {
    const preloaded = [...read(page).matchAll(/modulepreload" href="([^"]+)"/g)].map(([, path]) => path);
    assert.deepEqual(preloaded.toSorted(), [...imported(entry)].toSorted(), page);
    preloaded.forEach((path) => used.add(path));
  }
  // What only some pages draw with is asked for when they are shown.
  for (const path of own) for (const [, name] of read(path).matchAll(/import\("(\.[^"]+)"\)/g)) used.add(new URL(name, new URL(path, root)).href.slice(root.href.length));
  assert.deepEqual(all.filter((path) => path.endsWith(".js") && !used.has(path)), []);
});

test("nothing is inline and nothing comes from elsewhere", () => {
  for (const [page] of PAGES) assert.doesNotMatch(read(page), /<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|https?:/i);
  for (const path of own) assert.doesNotMatch(read(path), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|style="|\sstyle='/, path);
  for (const path of ["app.css", "docs.css"]) assert.doesNotMatch(read(path), /@import|url\(/);
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
