// The address is the source of truth: which page, which filters, which tab. Links are plain <a href>, relative to <base>.
import { signal } from "../vendor/preact.js";

export const BASE = "/ui/";

/** @typedef {{ page: string, params: Record<string, string>, query: URLSearchParams, path: string }} Route */

/** @type {[string, string][]} */
const ROUTES = [
  ["", "overview"], ["tasks", "tasks"], ["tasks/:id", "task"], ["queues", "queues"], ["queue", "queue"], ["dead-letters", "dead-letters"],
  ["schedules", "schedules"], ["schedule", "schedule"], ["new-schedule", "new-schedule"], ["workflows", "workflows"], ["workflows/:id", "workflow"],
  ["metrics", "metrics"], ["about", "about"], ["workers", "workers"], ["actors", "actors"], ["new", "new"],
];

/** @param {string} pathname @param {string} [search] @returns {Route} */
export function match(pathname, search = "") {
  const path = pathname.replace(/^\/ui\/?/, "").replace(/\/+$/, "");
  const parts = path.split("/");
  for (const [pattern, page] of ROUTES) {
    const params = matchParts(pattern.split("/"), parts);
    if (params) return { page, params, query: new URLSearchParams(search), path };
  }
  return { page: "not-found", params: {}, query: new URLSearchParams(search), path };
}

/** The route shown now. */
export const route = signal(match(BASE));

/** Goes to an address relative to BASE, such as "tasks?status=failed". @param {string} href @param {{ replace?: boolean }} [options] */
export function go(href, { replace = false } = {}) {
  const url = new URL(href, location.origin + BASE);
  history[replace ? "replaceState" : "pushState"](null, "", url);
  route.value = match(url.pathname, url.search);
}

/** `path` with `query` changed by `patch`: null or "" drops a key, so that defaults never show. @param {string} path @param {URLSearchParams} query @param {Record<string, string | null>} patch */
export function href(path, query, patch = {}) {
  const next = new URLSearchParams(query);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === "") next.delete(key);
    else next.set(key, value);
  }
  const text = next.toString();
  return text ? `${path}?${text}` : path || BASE;
}

/** Follows the address bar, and takes over clicks on links into the dashboard. */
export function start() {
  route.value = match(location.pathname, location.search);
  addEventListener("popstate", () => { route.value = match(location.pathname, location.search); });
  document.addEventListener("click", followLink);
}

/** @param {MouseEvent} event */
function followLink(event) {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.hasAttribute("target") || link.hasAttribute("download")) return;
  // A link within a drawing has no address of its own to ask for.
  const url = new URL(link.getAttribute("href") ?? "", document.baseURI);
  if (url.origin !== location.origin || !`${url.pathname}/`.startsWith(BASE) || url.hash) return;
  event.preventDefault();
  go(url.href);
}

/** @param {string[]} pattern @param {string[]} parts @returns {Record<string, string> | null} */
function matchParts(pattern, parts) {
  if (pattern.length !== parts.length) return null;
  /** @type {Record<string, string>} */
  const params = {};
  for (const [index, want] of pattern.entries()) {
    if (want.startsWith(":")) params[want.slice(1)] = decode(parts[index]);
    else if (want !== parts[index]) return null;
  }
  return params;
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
