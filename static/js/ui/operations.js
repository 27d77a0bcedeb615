// Work on many tasks that goes on by itself: how far it is, and a button that stops it.
import { stopOperation } from "../actions/dead.js";
import * as fmt from "../fmt.js";
import { may } from "../session.js";
import { now, useLive } from "../store.js";
import { Ago } from "./bits.js";
import { Icon } from "./icon.js";
import { html } from "../../vendor/preact.js";

const SHOWN = 5;
/** What is over stays for a while, as one comes back to see how it went. */
const LINGERS_MS = 60_000;
/** @type {Record<Operation["action"], string>} */
const WORDS = { cancel: "Cancelling tasks", retry: "Retrying tasks", delete: "Deleting tasks", redrive: "Retrying dead letters", discard: "Deleting dead letters" };

export function Operations() {
  const loaded = useLive(`/operations?limit=${SHOWN}`, { topics: ["tasks"], every: 3_000 });
  /** @type {Operation[]} */
  const all = loaded.data?.data ?? [];
  const shown = all.filter(({ state, finished_at }) => state === "running" || (finished_at && now.value - Date.parse(finished_at) < LINGERS_MS));
  if (!shown.length) return null;
  return html`<ul class="operations" aria-label="Work on many tasks">${shown.map((operation) => html`<li key=${operation.id} class=${`line is-${operation.state}`}>
    <${Icon} name=${operation.state === "running" ? "running" : operation.state === "done" ? "success" : "cancelled"} />
    <strong>${WORDS[operation.action]}</strong>
    <span>${fmt.exact(operation.done)} done${operation.refused > 0 && `, ${fmt.exact(operation.refused)} not possible any more`}</span>
    <span class="muted">${operation.rate !== null && `at most ${pace(operation.rate)} · `}${operation.state === "running" ? "begun " : `${operation.state} `}<${Ago} at=${operation.finished_at ?? operation.created_at} /></span>
    ${operation.state === "running" && may("operate") && html`<button class="end" onClick=${() => stopOperation(operation.id)}><${Icon} name="cancelled" />Stop</button>`}
  </li>`)}</ul>`;
}

/** @param {number} perSecond */
function pace(perSecond) {
  const [n, unit] = perSecond >= 1 ? [perSecond, "s"] : perSecond >= 1 / 60 ? [perSecond * 60, "min"] : [perSecond * 3600, "h"];
  return `${fmt.exact(Math.round(n * 10) / 10)} a ${unit}`;
}
