// One queue: what waits in it and how fast it goes, its limits and what is left of them, its settings, which can be changed here.
import { deleteQueue, pauseQueue, purgeQueue, resumeQueue } from "../actions/queues.js";
import * as fmt from "../fmt.js";
import { go, href, route } from "../router.js";
import { may } from "../session.js";
import { STATUSES } from "../status.js";
import { useLive } from "../store.js";
import { Bar, Count, Empty, ErrorNote, Facts, Pill, Text } from "../ui/bits.js";
import { Charts } from "../ui/charts.js";
import { confirmThen } from "../ui/confirm.js";
import { Icon } from "../ui/icon.js";
import { QueueForm } from "../ui/queue-form.js";
import { Tabs } from "../ui/tabs.js";
import { html } from "../../vendor/preact.js";

const BACK = html`<p class="crumbs"><a href="queues"><${Icon} name="newer" />Queues</a></p>`;

export function QueuePage() {
  const name = route.value.query.get("name") ?? "";
  const path = `/queues/${encodeURIComponent(name)}`;
  const loaded = useLive(path, { topics: ["queues", "tasks"], every: 5_000 });
  const figures = useLive(`${path}/stats`, { topics: ["queues", "tasks"], every: 3_000 });
  /** @type {Queue | null} */
  const queue = loaded.data;
  if (!queue && loaded.error?.status === 404) return html`${BACK}<h1 class="sr">Queue</h1><${Empty} icon="search" title="There is no such queue"><p>A queue is there from its first task on.</p></${Empty}>`;
  if (!queue) return html`${BACK}<h1 class="sr">Queue</h1>${loaded.error ? html`<${ErrorNote} error=${loaded.error} />` : html`<div class="skeleton"><i></i><i></i><i></i></div>`}`;
  const tabs = [
    { id: "charts", label: "Charts", body: () => html`<${Charts} path="queue" queue=${name} />` },
    { id: "settings", label: "Settings", body: () => (may("operate") ? html`<${QueueForm} queue=${queue} />` : html`<${Shared} queue=${queue} />`) },
  ];
  return html`${BACK}${loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    <${Header} queue=${queue} />
    <div class="detail"><aside><h2>Now</h2><${Now} queue=${queue} limit=${figures.data?.rate_limit ?? null} /></aside>
      <section><${Tabs} path="queue" tabs=${tabs} initial="charts" /></section></div>`;
}

/** @param {{ queue: Queue }} props */
function Header({ queue }) {
  const { name, paused, total_queued } = queue;
  const purge = () => confirmThen({ title: `Purge ${name}?`, text: "Every task that waits in it is cancelled. What runs goes on.", verb: `Cancel ${fmt.plural(total_queued, "task")}`, run: () => purgeQueue(name) });
  const remove = () => confirmThen({ title: `Delete the queue ${name}?`, text: "Its settings go with it. It comes back with the next task submitted to it.", verb: "Delete it", run: () => deleteQueue(name, () => go("queues")) });
  return html`<header class="head"><div><h1><${Text} value=${name} /></h1>
      <p class="line">${paused && html`<${Pill} status="paused" title="Nothing in it starts until it is resumed" />`}<a href=${tasks(name, null)}>Its tasks</a></p></div>
    ${may("operate") && html`<div class="actions">
      ${paused ? html`<button onClick=${() => resumeQueue(name)}><${Icon} name="resume" />Resume</button>` : html`<button onClick=${() => pauseQueue(name)}><${Icon} name="pause" />Pause</button>`}
      ${total_queued > 0 ? html`<button class="danger" onClick=${purge}><${Icon} name="trash" />Purge</button>` : html`<button class="danger" onClick=${remove}><${Icon} name="trash" />Delete</button>`}</div>`}</header>`;
}

/** @param {{ queue: Queue, limit: any }} props */
function Now({ queue, limit }) {
  const { high, medium, low } = queue.queued_by_priority;
  return html`<p class="big"><b><${Count} value=${queue.total_queued} /></b> waiting</p>
    <${Bar} parts=${[["p-high", high, "high"], ["p-medium", medium, "medium"], ["p-low", low, "low"]]} />
    <p class="sub">high <${Count} value=${high} /> · medium <${Count} value=${medium} /> · low <${Count} value=${low} /></p>
    <${Facts} facts=${[
      ["Oldest ready", queue.oldest_ready_s !== null && html`<span class=${queue.oldest_ready_s > 300 ? "late" : ""}>${fmt.duration(queue.oldest_ready_s * 1000)}</span>`],
      ...STATUSES.map((status) => /** @type {[string, unknown]} */ ([status, queue.status_counts[status] > 0 && html`<a href=${tasks(queue.name, status)}><${Count} value=${queue.status_counts[status]} /></a>`])),
      ["Rate limit", limit ? html`${limitText(limit)}` : "none"],
      ["Left of it", limit && limit.enabled && html`${fmt.exact(limit.remaining)}${limit.next_permit_in_s > 0 && html`<span class="muted">, next start in ${fmt.duration(limit.next_permit_in_s * 1000)}</span>`}`],
      ["Concurrency", queue.concurrency ? `${fmt.exact(queue.status_counts.running)} of ${fmt.exact(queue.concurrency)}` : "no cap"],
      ["Weight", String(queue.weight)],
    ]} />`;
}

/** @param {any} limit */
function limitText({ limit, per, source, enabled }) {
  const numbers = typeof limit === "object" ? Object.entries(limit).map(([name, n]) => `${name} ${n}`).join(", ") : fmt.exact(limit);
  return `${numbers} per ${per}${source === "default" ? ", the server's" : ""}${enabled ? "" : ", switched off"}`;
}

/** For those who may not change it. @param {{ queue: Queue }} props */
function Shared({ queue }) {
  const weights = Object.entries(queue.fair_weights).map(([key, weight]) => html`<div key=${key}><${Text} value=${`${key}=${weight}`} /></div>`);
  return html`<${Facts} facts=${[
    ["Weight", String(queue.weight)], ["Concurrency", queue.concurrency ?? "no cap"], ["Rate limit", queue.rate_limit ?? "none"], ["Max depth", queue.max_depth ?? "no cap"],
    ["At a cap", queue.at_cap === "reject" ? "submissions are refused" : "tasks wait"], ["Ageing", queue.ageing ?? "none"],
    ["Retries", queue.max_retries ?? "the server's"], ["Time limit", queue.timeout ?? (queue.timeout === null ? "none" : "the server's")],
    ["Each rate key", queue.key_rate_limit ?? "no limit"], ["Each concurrency key", queue.key_concurrency ? `${queue.key_concurrency} at a time` : "no cap"],
    ["Fair weights", weights.length ? weights : "all the same"],
  ]} />`;
}

/** @param {string} queue @param {Status | null} status */
function tasks(queue, status) {
  return href("tasks", new URLSearchParams(), { status, queue });
}
