// The search box: typed filters become chips, kept in the address.
import { Text } from "./bits.js";
import { Icon } from "./icon.js";
import { CHIP_KEYS, chips, parseSearch } from "../filter.js";
import { go, href, route } from "../router.js";
import { html } from "../../vendor/preact.js";

export function Search() {
  const { query } = route.value;
  const set = chips(query);
  return html`<form class="search" role="search" onSubmit=${submit}>
    <${Icon} name="search" />
    ${set.map(({ key, value }) => html`<span class="chip" key=${key}>
      ${key === "q" ? "" : html`<b>${key}:</b>`}<${Text} value=${value} />
      <button type="button" aria-label=${`Remove the filter ${key}: ${value}`} onClick=${() => apply({ [key]: null })}><${Icon} name="close" /></button>
    </span>`)}
    <input data-search type="search" aria-label="Search tasks" aria-describedby="search-help" autocomplete="off" spellcheck="false"
      placeholder=${set.length ? "Add a filter" : "Search, or queue: name: tag: worker:"} onKeyDown=${onKey} />
    <span class="sr" id="search-help">Filters are written as ${CHIP_KEYS.map((key) => `${key}:value`).join(", ")}. Enter applies them.</span>
  </form>`;
}

/** @param {SubmitEvent} event */
function submit(event) {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).querySelector("input"));
  const found = parseSearch(input.value);
  input.value = "";
  if (Object.keys(found).length) apply(found);
}

/** Backspace in the empty box takes the last chip. @param {KeyboardEvent} event */
function onKey(event) {
  const input = /** @type {HTMLInputElement} */ (event.target);
  const last = chips(route.value.query).at(-1);
  if (event.key === "Escape") input.blur();
  if (event.key === "Backspace" && !input.value && last) apply({ [last.key]: null });
}

/** @param {Record<string, string | null>} patch */
function apply(patch) {
  go(href("tasks", route.value.query, { ...patch, cursor: null }));
}
