// Small parts every page uses.
import { Icon } from "./icon.js";
import { zone } from "./settings.js";
import * as fmt from "../fmt.js";
import { STATUSES, MEANING } from "../status.js";
import { now } from "../store.js";
import { html } from "../../vendor/preact.js";

/** @param {{ status: string, title?: string }} props */
export function Pill({ status, title }) {
  const icon = STATUSES.includes(/** @type {Status} */ (status)) ? status : STATE_ICONS[status] ?? "info";
  const meaning = title ?? MEANING[/** @type {Status} */ (status)];
  return html`<span class=${`pill is-${status}`} title=${meaning}><${Icon} name=${icon} />${status.replaceAll("_", " ")}</span>`;
}

/** Icons of what has a state but is no task. @type {Record<string, string>} */
const STATE_ICONS = {
  alive: "success", draining: "timeout", quiet: "pause", done: "success", dead: "failed", paused: "pause", active: "running", starting: "scheduled",
  restarting: "retry", parked: "warn", stopping: "timeout", stopped: "cancelled", failure: "failed", crashed: "warn",
  released: "newer", exhausted: "failed", poison: "warn", not_retryable: "cancelled", ok: "success", degraded: "warn", down: "failed",
};

/** A time as "12 s ago", absolute in its title. @param {{ at: string | null, none?: string }} props */
export function Ago({ at, none = "–" }) {
  if (!at) return html`<span class="muted">${none}</span>`;
  return html`<time datetime=${at} title=${fmt.absolute(at, zone.value)}>${fmt.relative(Date.parse(at), now.value)}</time>`;
}

/** A moment as one looks for it: absolute, and how far off. @param {{ at: string }} props */
export function Moment({ at }) {
  return html`<time class="moment" datetime=${at} title=${fmt.absolute(at, zone.value)}>${fmt.relative(Date.parse(at), now.value)}<span class="sub">${fmt.brief(at, now.value, zone.value)}</span></time>`;
}

/** What is known of a thing, by name; what is not so is left out. @param {{ facts: [string, unknown][] }} props */
export function Facts({ facts }) {
  return html`<dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A time running since `at`. @param {{ at: string }} props */
export function Since({ at }) {
  return html`<time datetime=${at} title=${fmt.absolute(at, zone.value)}>${fmt.elapsed(now.value - Date.parse(at))}</time>`;
}

/** What a user wrote, in a line of ours. @param {{ value: string }} props */
export function Text({ value }) {
  return html`<span class="bdi">${fmt.untrusted(value)}</span>`;
}

/** @param {{ value: number }} props */
export function Count({ value }) {
  return html`<span class="num" title=${fmt.exact(value)}>${fmt.compact(value)}</span>`;
}

/** Parts of a whole as a bar; `parts` are [class, value, label]. @param {{ parts: [string, number, string][], total?: number }} props */
export function Bar({ parts, total = parts.reduce((sum, [, value]) => sum + value, 0) }) {
  const label = parts.map(([, value, name]) => `${name} ${fmt.exact(value)}`).join(", ");
  return html`<span class="bar" role="img" aria-label=${label} title=${label}>
    ${parts.filter(([, value]) => value > 0).map(([name, value]) => html`<i key=${name} class=${name} style=${{ width: `${(100 * value) / Math.max(1, total)}%` }}></i>`)}
  </span>`;
}

/** @param {{ error: import("../api.js").ApiError, stale?: boolean }} props */
export function ErrorNote({ error, stale = false }) {
  const { title, request_id } = error.problem;
  return html`<div class="note is-bad" role="alert">
    <${Icon} name="warn" />
    <div><strong>${title ?? "Something went wrong"}</strong>
      <p>${error.message}${stale && " What is shown below is what was last loaded."}</p>
      ${request_id && html`<p class="muted">Request <code>${request_id}</code></p>`}</div>
  </div>`;
}

/** The state of a list that isn't rows: loading, failed or empty. Null when rows should show.
 * @param {import("../store.js").Loaded} loaded @param {unknown} empty what teaches when there is nothing */
export function placeholder(loaded, empty) {
  if (loaded.data?.data.length) return null;
  if (loaded.error) return html`<${ErrorNote} error=${loaded.error} />`;
  if (!loaded.data) return html`<div class="skeleton" aria-busy="true"><span class="sr">Loading…</span><i></i><i></i><i></i></div>`;
  return empty;
}

/** @param {{ icon?: string, title: string, children?: unknown }} props */
export function Empty({ icon = "inbox", title, children }) {
  return html`<div class="empty"><${Icon} name=${icon} /><h2>${title}</h2>${children}</div>`;
}
