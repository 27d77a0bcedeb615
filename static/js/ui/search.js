// The search box: typed filters become chips, kept in the address.
import { Text } from "./bits.js";
import { Icon } from "./icon.js";
import { CHIP_KEYS, chips, parseSearch } from "../filter.js";
import { go, href, route } from "../router.js";
import { html } from "../../vendor/preact.js";

/** `path`: of the page · `keys`: written `key:value` · `rest`: what other words are · `set`: chips that only links set
 * @typedef {{ path: string, label: string, keys: string[], rest: string, set?: string[] }} Kind */

/** @type {Kind} */
export const TASKS = { path: "tasks", label: "Search tasks", keys: CHIP_KEYS, rest: "q", set: ["created_after", "created_before"] };

/** @param {{ kind?: Kind }} props */
export function Search({ kind = TASKS }) {
  const shown = [...kind.keys, kind.rest, ...(kind.set ?? [])];
  const set = chips(route.value.query, shown);
  const apply = (/** @type {Record<string, string | null>} */ patch) => go(href(kind.path, route.value.query, { ...patch, cursor: null }));
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).querySelector("input"));
    const found = parseSearch(input.value, kind.keys, kind.rest);
    input.value = "";
    if (Object.keys(found).length) apply(found);
  };
  // Backspace in the empty box takes the last chip.
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const last = set.at(-1);
    if (event.key === "Escape") input.blur();
    if (event.key === "Backspace" && !input.value && last) apply({ [last.key]: null });
  };
  return html`<form class="search" role="search" onSubmit=${submit}>
    <${Icon} name="search" />
    ${set.map(({ key, value }) => html`<span class="chip" key=${key}>
      ${key === "q" ? "" : html`<b>${key.replaceAll("_", " ")}:</b>`}<${Text} value=${value} />
      <button type="button" aria-label=${`Remove the filter ${key}: ${value}`} onClick=${() => apply({ [key]: null })}><${Icon} name="close" /></button>
    </span>`)}
    <input data-search type="search" aria-label=${kind.label} aria-describedby="search-help" autocomplete="off" spellcheck="false"
      placeholder=${set.length ? "Add a filter" : `Search, or ${kind.keys.map((key) => `${key}:`).join(" ")}`} onKeyDown=${onKey} />
    <span class="sr" id="search-help">Filters are written as ${kind.keys.map((key) => `${key}:value`).join(", ")}. Enter applies them.</span>
  </form>`;
}
