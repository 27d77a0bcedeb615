// Writes each page's list of preloaded modules, which is what its entry imports: node tools/preload.mjs
import { readFileSync, writeFileSync } from "node:fs";

const root = new URL("../static/", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");

function imported(path, found) {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, name] of read(path).matchAll(/^(?:import|export) [^;]*? from "(\.[^"]+)";/gm)) imported(new URL(name, new URL(path, root)).href.slice(root.href.length), found);
  return found;
}

for (const [page, entry, base] of [["index.html", "js/main.js", ""], ["docs.html", "js/docs/main.js", ""]]) {
  const all = [...imported(entry, new Set())].sort((a, b) => Number(b.startsWith("vendor/")) - Number(a.startsWith("vendor/")) || (a < b ? -1 : 1));
  const lines = all.map((path) => `  <link rel="modulepreload" href="${base}${path}">\n`).join("");
  writeFileSync(new URL(page, root), read(page).replace(/(  <link rel="modulepreload"[^>]*>\n)+/, lines));
}
