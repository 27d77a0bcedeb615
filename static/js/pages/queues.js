// Queues: how deep, how old, paused or not; pause and resume.
import { pauseQueue, resumeQueue } from "../actions/queues.js";
import { tasksWith } from "../filter.js";
import * as fmt from "../fmt.js";
import { href } from "../router.js";
import { may } from "../session.js";
import { useLive } from "../store.js";
import { Bar, Count, Empty, ErrorNote, Pill, placeholder, Text } from "../ui/bits.js";
import { Icon } from "../ui/icon.js";
import { Sparkline } from "../ui/sparkline.js";
import { Table } from "../ui/table.js";
import { html } from "../../vendor/preact.js";

/** Each is a request of its own. */
const MOST_DRAWN = 30;

/** @type {import("../ui/table.js").Column[]} */
const COLUMNS = [
  { label: "Queue", main: true, cell: name },
  { label: "Waiting by priority", cell: depth },
  { label: "Waiting", num: true, cell: (/** @type {Queue} */ queue) => html`<${Count} value=${queue.total_queued} />` },
  { label: "Last hour", cell: trend },
  { label: "Running", num: true, cell: (/** @type {Queue} */ queue) => html`<${Count} value=${queue.status_counts.running} />` },
  { label: "To retry", num: true, cell: (/** @type {Queue} */ queue) => html`<${Count} value=${queue.status_counts.retry} />` },
  { label: "Oldest ready", num: true, cell: oldest },
  { label: "Weight", num: true, cell: (/** @type {Queue} */ queue) => queue.weight },
  { label: "Actions", act: true, cell: actions },
];

export function Queues() {
  const loaded = useLive("/queues", { topics: ["queues", "tasks"], every: 5_000 });
  const rows = loaded.data?.data ?? [];
  return html`<header class="head"><h1>Queues</h1></header>
    ${rows.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    ${placeholder(loaded, html`<${Empty} title="No queues yet"><p>A queue is there from its first task on. <a href="new">Submit one.</a></p></${Empty}>`)
      ?? html`<div class="queues"><${Table} label="Queues" columns=${COLUMNS} rows=${rows.map((/** @type {Queue} */ queue, /** @type {number} */ index) => ({ ...queue, drawn: index < MOST_DRAWN }))} id=${(/** @type {Queue} */ queue) => queue.name} /></div>`}`;
}

/** @param {Queue} queue */
function name(queue) {
  return html`<a class="name" href=${href("queue", new URLSearchParams(), { name: queue.name })}><${Text} value=${queue.name} /></a>
    ${queue.paused && html`<${Pill} status="paused" title="Nothing in it starts until it is resumed" />`}
    <span class="sub block"><a href=${tasksWith("queue", queue.name)}>tasks</a>${limits(queue).map((each) => html` · ${each}`)}</span>`;
}

/** What holds it back. @param {Queue} queue */
function limits({ rate_limit, concurrency, max_depth }) {
  return [rate_limit, concurrency && `${concurrency} at a time`, max_depth && `at most ${max_depth} waiting`].filter(Boolean);
}

/** How the last hour went. @param {Queue & { drawn: boolean }} queue */
function trend({ name: queue, drawn }) {
  return drawn ? html`<${Sparkline} queue=${queue} />` : html`<span class="none">–</span>`;
}

/** @param {Queue} queue */
function depth({ queued_by_priority: { high, medium, low } }) {
  return html`<${Bar} parts=${[["p-high", high, "high"], ["p-medium", medium, "medium"], ["p-low", low, "low"]]} />
    <span class="sub">high <${Count} value=${high} /> · medium <${Count} value=${medium} /> · low <${Count} value=${low} /></span>`;
}

/** @param {Queue} queue */
function oldest({ oldest_ready_s }) {
  return oldest_ready_s === null ? html`<span class="none">–</span>` : html`<span class=${oldest_ready_s > 300 ? "late" : ""}>${fmt.duration(oldest_ready_s * 1000)}</span>`;
}

/** @param {Queue} queue */
function actions(queue) {
  if (!may("operate")) return html`<span class="none">–</span>`;
  return queue.paused
    ? html`<button aria-label=${`Resume ${queue.name}`} onClick=${() => resumeQueue(queue.name)}><${Icon} name="running" />Resume</button>`
    : html`<button aria-label=${`Pause ${queue.name}`} onClick=${() => pauseQueue(queue.name)}><${Icon} name="pause" />Pause</button>`;
}
