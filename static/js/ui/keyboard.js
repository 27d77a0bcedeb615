// The keyboard: `/` search, `?` help, `j` `k` rows, `g` and a letter for a page.
import { go, route } from "../router.js";
import { paused } from "../store.js";
import { shortcuts } from "./settings.js";
import { signal } from "../../vendor/preact.js";

/** What the help dialog lists. @type {[string, string][]} */
export const KEYS = [
  ["/", "Search tasks"], ["j  k", "Next row, previous row"], ["Enter", "Open the row"], ["x", "Select the row"],
  ["n", "New task"], ["p", "Pause or resume live updates"], ["g then o", "Overview"], ["g then t", "Tasks"], ["g then f", "Workflows"], ["g then s", "Schedules"], ["g then q", "Queues"],
  ["g then d", "Dead letters"], ["g then w", "Workers"], ["g then m", "Metrics"], ["g then a", "Actors"], ["?", "Help and settings"],
];

export const helpShown = signal(false);

/** @type {Record<string, string>} */
const PAGES = { o: "", t: "tasks", f: "workflows", s: "schedules", q: "queues", d: "dead-letters", w: "workers", m: "metrics", a: "actors" };
const G_WITHIN_MS = 1_200;
let gPressedAt = -Infinity;

/** @type {Record<string, () => void>} */
const VERBS = {
  "/": search,
  "?": () => { helpShown.value = true; },
  j: () => moveRow(1),
  k: () => moveRow(-1),
  n: () => go("new"),
  p: () => { paused.value = !paused.value; },
  x: () => currentRow()?.querySelector("input")?.click(),
  g: () => { gPressedAt = performance.now(); },
};

export function start() {
  addEventListener("keydown", (event) => {
    if (!shortcuts.value || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const afterG = performance.now() - gPressedAt < G_WITHIN_MS;
    const page = afterG ? PAGES[event.key] : undefined;
    const verb = page === undefined ? VERBS[event.key] : () => go(page);
    if (!verb) return;
    event.preventDefault();
    gPressedAt = -Infinity;
    verb();
  });
}

function search() {
  const box = () => /** @type {HTMLElement | null} */ (document.querySelector("[data-search]"));
  if (route.value.page !== "tasks") go("tasks");
  requestAnimationFrame(() => requestAnimationFrame(() => box()?.focus()));
}

/** @param {number} step */
function moveRow(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const from = rows.findIndex((row) => row === currentRow());
  const next = rows[from < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, from + step))];
  /** @type {HTMLElement | null | undefined} */ (next?.querySelector("a, button"))?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function currentRow() {
  return document.activeElement?.closest("[data-row]") ?? null;
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && (target.matches("input:not([type=checkbox]), textarea, select") || target.isContentEditable);
}
