// What is happening, what is wrong: counts, throughput, what needs attention, the busiest queues.
import { attention } from "../attention.js";
import { online } from "../api.js";
import * as fmt from "../fmt.js";
import { STATUSES, MEANING } from "../status.js";
import { health, stats, useLive } from "../store.js";
import { Bar, Count, ErrorNote, Pill, Text } from "../ui/bits.js";
import { WINDOWS } from "../charts.js";
import { href, route } from "../router.js";
import { Throughput } from "../ui/chart.js";
import { Charts } from "../ui/charts.js";
import { Icon } from "../ui/icon.js";
import { FirstTask } from "../ui/first-task.js";
import { html } from "../../vendor/preact.js";

const BUSIEST = 6;
const LIVE = "5m";
/** What makes a queue busy, now or soon. @type {Status[]} */
const LOAD = ["running", "queued", "retry"];

export function Overview() {
  const queues = useLive("/queues", { topics: ["queues", "tasks"], every: 10_000 });
  const workers = useLive("/workers", { topics: ["workers", "tasks"], every: 3_000 });
  const actors = useLive("/system/actors", { every: 5_000 });
  const seen = {
    online: online.value, stats: stats.value, health: health.value,
    queues: queues.data?.data ?? [], workers: workers.data?.data ?? [], actors: actors.data?.data ?? [],
  };
  if (stats.value?.totals.submitted === 0) return html`<h1 class="sr">Overview</h1><${FirstTask} />`;
  if (!stats.value && queues.error) return html`<h1 class="sr">Overview</h1><${ErrorNote} error=${queues.error} />`;
  return html`<h1 class="sr">Overview</h1>
    <${CountStrip} />
    <div class="overview">
      <div><${Trends} /><${Busiest} queues=${seen.queues} /></div>
      <div><${Attention} notices=${attention(seen)} known=${Boolean(stats.value)} /><${Slots} workers=${seen.workers} /></div>
    </div>`;
}

/** Of five minutes the throughput is live, to the second; longer ones are kept by the server. */
function Trends() {
  const to = (/** @type {string} */ window) => href("", route.value.query, { window: window === LIVE ? null : window });
  const wanted = route.value.query.get("window") ?? "";
  const chosen = WINDOWS.includes(wanted) ? wanted : LIVE;
  const live = chosen === LIVE;
  return html`<div class="trends"><nav class="switch" aria-label="Window">${WINDOWS.map((each) => html`<a key=${each} aria-current=${each === chosen ? "true" : undefined} href=${to(each)}>${each}</a>`)}</nav>
    ${live && html`<${Throughput} />`}<${Charts} key=${chosen} window=${chosen} path="" only=${live ? ["wait", "run"] : ["throughput", "wait", "run"]} bare />
    <a class="more" href=${href("metrics", new URLSearchParams(), { window: chosen === "1h" ? null : chosen })}>All metrics</a></div>`;
}

function CountStrip() {
  const counts = stats.value?.status_counts;
  return html`<nav class="strip" aria-label="Tasks by status">
    ${STATUSES.map((status) => html`<a key=${status} href=${`tasks?status=${status}`} class=${`is-${status} ${counts?.[status] ? "" : "zero"}`} title=${MEANING[status]}>
      <b>${counts ? html`<${Count} value=${counts[status]} />` : "–"}</b><span><${Icon} name=${status} />${status}</span>
    </a>`)}
  </nav>`;
}

/** @param {{ notices: import("../attention.js").Notice[], known: boolean }} props */
function Attention({ notices, known }) {
  return html`<section class="panel first" aria-labelledby="attention">
    <header><h2 id="attention">Needs attention</h2>${notices.length > 0 && html`<span class="badge">${notices.length}</span>`}</header>
    ${notices.length === 0 && html`<p class="fine">${known ? html`<${Icon} name="success" />Nothing. Everything this page watches is in order.` : "Loading…"}</p>`}
    <ul class="notices">${notices.map(({ level, text, hint, href }) => html`<li key=${text} class=${`is-${level}`} data-row>
      <${Icon} name="warn" /><div>${href ? html`<a href=${href}><${Text} value=${text} /></a>` : html`<strong>${text}</strong>`}<p><${Text} value=${hint} /></p></div>
    </li>`)}</ul>
  </section>`;
}

/** @param {{ queues: Queue[] }} props */
function Busiest({ queues }) {
  const load = (/** @type {Queue} */ queue) => LOAD.reduce((sum, status) => sum + queue.status_counts[status], 0);
  const busiest = [...queues].sort((a, b) => load(b) - load(a)).slice(0, BUSIEST);
  const most = busiest.length ? load(busiest[0]) : 0;
  return html`<section class="panel" aria-labelledby="busiest">
    <header><h2 id="busiest">Busiest queues</h2><a href="queues">All ${queues.length || ""}</a></header>
    <ul class="lines">${busiest.map((queue) => html`<li key=${queue.name} data-row>
      <div class="line"><a href=${href("queue", new URLSearchParams(), { name: queue.name })}><${Text} value=${queue.name} /></a>
        ${queue.paused && html`<${Pill} status="paused" />`}
        <span class="end">${LOAD.map((status, index) => html`${index > 0 && " · "}<${Count} value=${queue.status_counts[status]} /> ${status === "retry" ? "to retry" : status}`)}</span></div>
      <${Bar} parts=${LOAD.map((status) => [`is-${status}`, queue.status_counts[status], status])} total=${most} />
      <p class="muted">${queue.oldest_ready_s === null ? "No task waits for a slot" : `The oldest has waited ${fmt.duration(queue.oldest_ready_s * 1000)} for a slot`}</p>
    </li>`)}</ul>
  </section>`;
}

/** @param {{ workers: Worker[] }} props */
function Slots({ workers }) {
  const alive = workers.filter((worker) => worker.state !== "dead");
  const running = (/** @type {Worker} */ worker) => worker.slots.filter((slot) => slot.task_id).length;
  // The sum of the lines below it: the figures' own count is of another moment.
  const total = alive.reduce((sum, worker) => sum + worker.slots_total, 0);
  const busy = alive.reduce((sum, worker) => sum + running(worker), 0);
  return html`<section class="panel" aria-labelledby="slots">
    <header><h2 id="slots">Workers</h2><a href="workers">All ${workers.length || ""}</a></header>
    <p class="big"><b>${fmt.exact(busy)}</b> of ${fmt.exact(total)} slots busy${total > 0 && html`<span class="muted"> · ${Math.round((100 * busy) / total)} %</span>`}</p>
    <${Bar} parts=${[["is-running", busy, "busy"]]} total=${total} />
    <ul class="lines">${workers.map((worker) => html`<li key=${worker.id} class="line"><${Pill} status=${worker.state} /><span class="bdi">${worker.host}</span>
      <span class="end">${running(worker)} of ${worker.slots_total}</span></li>`)}</ul>
  </section>`;
}
