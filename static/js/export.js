// Tasks as a file: all that a filter leaves, page by page, as CSV for a spreadsheet or NDJSON for programs.
import { get } from "./api.js";
import { compactJson, members, tokenize } from "./json.js";

/** More is what the API is for: the file is put together in the browser's memory. */
export const MOST_ROWS = 100_000;
const PAGE = 200;
const COLUMNS = ["id", "name", "queue", "status", "priority", "attempt", "max_retries", "created_at", "run_at", "started_at", "finished_at", "duration_ms", "worker_id", "tags", "error", "args", "kwargs"];
/** JSON, of which no number must change. */
const EXACT = ["args", "kwargs"];

/** The elements of the array that is an object's `data`, each as the text it was sent as: numbers stay exact. @param {string} text @returns {string[]} */
export function elements(text) {
  const tokens = tokenize(text);
  const found = [];
  let [depth, start, inside] = [0, -1, false];
  for (const [index, token] of tokens.entries()) {
    if (depth === 1 && token.kind === "key") inside = token.text === '"data"' && tokens[index + 2]?.text === "[";
    if (token.kind === "close") depth -= 1;
    const ends = inside && ((depth === 2 && token.kind === "comma") || (depth === 1 && token.text === "]"));
    if (ends && start >= 0) {
      found.push(text.slice(start, token.at).trimEnd());
      start = -1;
    } else if (inside && depth === 2 && start < 0 && token.kind !== "comma") start = token.at;
    if (token.kind === "open") depth += 1;
  }
  return found;
}

/** A cell of a CSV file. What a spreadsheet would run as a formula begins with an apostrophe. @param {unknown} value */
export function cell(value) {
  if (value === null || value === undefined) return "";
  let text = typeof value === "object" ? JSON.stringify(value) : String(value);
  if (typeof value !== "number" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A row of one task. @param {string} text the task as it was sent */
export function csvRow(text) {
  const task = JSON.parse(text);
  const parts = members(text);
  const exact = (/** @type {string} */ column) => { const part = parts.get(column); return part && compactJson(part); };
  return COLUMNS.map((column) => cell(column === "tags" ? task.tags?.join(" ") : column === "error" ? task.error?.message : EXACT.includes(column) ? exact(column) : task[column])).join(",");
}

/** Reads all pages of a list. @param {string} path of the list, without limit and cursor @param {"csv" | "ndjson"} kind @param {(rows: number) => boolean} onPage told after each page; false: stop
 * @returns {Promise<{ parts: string[], rows: number, complete: boolean }>} */
export async function collect(path, kind, onPage) {
  const parts = kind === "csv" ? [`${COLUMNS.join(",")}\r\n`] : [];
  let [rows, cursor] = [0, ""];
  do {
    const { data, text } = await get(`${path}${path.includes("?") ? "&" : "?"}limit=${PAGE}&include=args,result${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    // On one line each, however its arguments were written.
    parts.push(elements(text).map((task) => (kind === "csv" ? `${csvRow(task)}\r\n` : `${compactJson(task)}\n`)).join(""));
    rows += data.data.length;
    cursor = data.next_cursor ?? "";
    if (!onPage(rows) || (cursor && rows >= MOST_ROWS)) return { parts, rows, complete: !cursor };
  } while (cursor);
  return { parts, rows, complete: true };
}
