// What can be done to all tasks that a filter leaves: counted first. And those tasks as a file.
import { ApiError, post } from "../api.js";
import { collect, MOST_ROWS } from "../export.js";
import { filterBody, tasksPath } from "../filter.js";
import * as fmt from "../fmt.js";
import { route } from "../router.js";
import { may } from "../session.js";
import { canCancel, canRetry } from "../status.js";
import { Icon } from "./icon.js";
import { askMany } from "./many.js";
import { toast } from "./toast.js";
import { html, useSignal } from "../../vendor/preact.js";

/** @typedef {"cancel" | "retry" | "delete"} Verb */
/** @type {[Verb, string, string][]} */
const VERBS = [
  ["retry", "Retry", "They start anew, with all their attempts."],
  ["cancel", "Cancel", "Those that wait are cancelled. Those that run are asked to stop."],
  ["delete", "Delete", "They are gone for good, with their results and attempts."],
];

/** A menu of what can be done to all that match. */
export function AllMatching() {
  const { query } = route.value;
  const status = /** @type {Status | null} */ (query.get("status"));
  const ask = (/** @type {Verb} */ verb, /** @type {string} */ word, /** @type {string} */ text) => askMany({
    word: [word, "task"], text, paced: verb !== "delete", danger: verb !== "retry",
    send: (dry_run, rate) => post("/tasks/bulk", JSON.stringify({ action: verb, ...filterBody(query), dry_run, ...(rate && !dry_run && { rate }) })),
  });
  const possible = VERBS.filter(([verb]) => !status || (verb === "cancel" ? canCancel(status) : canRetry(status)));
  return html`<details class="menu" onFocusOut=${leave} onKeyDown=${leave}><summary class="button">All matching…</summary><div class="menu-items" onClick=${close}>
    ${may("operate") && possible.map(([verb, word, text]) => html`<button key=${verb} class=${verb === "delete" ? "danger" : ""} onClick=${() => ask(verb, word, text)}>${word} all that match…</button>`)}
    <${Download} kind="csv" label="Export as CSV" /><${Download} kind="ndjson" label="Export as NDJSON" /></div></details>`;
}

/** @param {{ kind: "csv" | "ndjson", label: string }} props */
function Download({ kind, label }) {
  const rows = useSignal(/** @type {number | null} */ (null));
  const run = async () => {
    rows.value = 0;
    try {
      const path = tasksPath(new URLSearchParams([...route.value.query].filter(([key]) => key !== "cursor")), 0).replace(/&?limit=0/, "").replace(/\?$/, "");
      const { parts, rows: n, complete } = await collect(path, kind, (read) => { rows.value = read; return true; });
      save(new Blob(parts, { type: kind === "csv" ? "text/csv" : "application/x-ndjson" }), `tasks.${kind}`);
      toast(complete ? `Exported ${fmt.plural(n, "task")}.` : `Exported the first ${fmt.exact(n)} tasks: a file has at most ${fmt.exact(MOST_ROWS)}.`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(`${label}: ${error.message}`, "bad");
    }
    rows.value = null;
  };
  return html`<button disabled=${rows.value !== null} onClick=${run}><${Icon} name="download" />${rows.value === null ? label : `${fmt.exact(rows.value)} read…`}</button>`;
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** It closes when one turns to something else, or by Escape. @param {FocusEvent | KeyboardEvent} event */
function leave(event) {
  const menu = /** @type {HTMLElement} */ (event.currentTarget);
  const elsewhere = event instanceof FocusEvent && !menu.contains(/** @type {Node | null} */ (event.relatedTarget));
  if (!elsewhere && !(event instanceof KeyboardEvent && event.key === "Escape")) return;
  menu.removeAttribute("open");
  if (!elsewhere) menu.querySelector("summary")?.focus();
}

/** A menu closes once something in it was chosen. @param {MouseEvent} event */
function close(event) {
  const target = /** @type {Element} */ (event.target);
  if (target.closest("button")) target.closest("details")?.removeAttribute("open");
}
