// Statuses as filters: a rail beside the list, a menu on narrow screens.
import { Count } from "./bits.js";
import { Icon } from "./icon.js";
import { STATUSES, MEANING } from "../status.js";
import { go, href, route } from "../router.js";
import { html } from "../../vendor/preact.js";

/** `counts` are null when the other filters make them unknown. @param {{ counts: StatusCounts | null }} props */
export function Rail({ counts }) {
  const { query } = route.value;
  const chosen = query.get("status") ?? "";
  const to = (/** @type {string} */ status) => href("tasks", query, { status, cursor: null });
  const all = counts && STATUSES.reduce((sum, status) => sum + counts[status], 0);
  return html`<nav class="rail" aria-label="Statuses">
      <a href=${to("")} aria-current=${chosen ? undefined : "true"}>All${all !== null && html`<${Count} value=${all} />`}</a>
      ${STATUSES.map((status) => html`<a key=${status} href=${to(status)} class=${`is-${status}`} title=${MEANING[status]} aria-current=${chosen === status ? "true" : undefined}>
        <${Icon} name=${status} /><span>${status}</span>${counts && html`<${Count} value=${counts[status]} />`}
      </a>`)}
    </nav>
    <label class="rail-menu"><span class="sr">Status</span>
      <select value=${chosen} onChange=${(/** @type {any} */ event) => go(to(event.target.value))}>
        <option value="">All statuses${all === null ? "" : ` (${all})`}</option>
        ${STATUSES.map((status) => html`<option key=${status} value=${status}>${status}${counts ? ` (${counts[status]})` : ""}</option>`)}
      </select>
    </label>`;
}
