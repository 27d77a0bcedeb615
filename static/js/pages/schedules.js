// Schedules: when each ticks, in words; the last and the next tick; running one now, pausing it.
import { pauseSchedule, resumeSchedule, triggerSchedule } from "../actions/schedules.js";
import { inWords } from "../cron.js";
import { taskHref, tasksWith } from "../filter.js";
import { go, href, route } from "../router.js";
import { may } from "../session.js";
import { now, useLive } from "../store.js";
import { Empty, ErrorNote, Moment, Pill, placeholder, Text } from "../ui/bits.js";
import { Command } from "../ui/copy.js";
import { Icon } from "../ui/icon.js";
import { Pager } from "../ui/pager.js";
import { Search } from "../ui/search.js";
import { Table } from "../ui/table.js";
import { html } from "../../vendor/preact.js";

/** @type {import("../ui/search.js").Kind} */
const SEARCH = { path: "schedules", label: "Filter schedules", keys: ["queue"], rest: "queue" };
const EXAMPLE = "jobqueue schedule set nightly --cron '30 2 * * *' --timezone Europe/Berlin --task report.build";

/** @type {import("../ui/table.js").Column[]} */
const COLUMNS = [
  { label: "Schedule", main: true, cell: name },
  { label: "When", cell: when },
  { label: "Last", num: true, cell: last },
  { label: "Runs", cell: (/** @type {Schedule} */ schedule) => html`<${Runs} runs=${schedule.runs} />` },
  { label: "Next", num: true, cell: next },
  { label: "Actions", act: true, cell: actions },
];

export function Schedules() {
  const { query } = route.value;
  const enabled = query.get("enabled") ?? "";
  const wanted = new URLSearchParams({ limit: "50" });
  for (const key of ["queue", "enabled", "cursor"]) if (query.get(key)) wanted.set(key, query.get(key) ?? "");
  const loaded = useLive(`/schedules?${wanted}`, { topics: ["tasks"], every: 10_000 });
  const rows = loaded.data?.data ?? [];
  return html`<header class="head"><div><h1>Schedules</h1><p class="muted">What makes tasks by the clock.</p></div>
      ${may("operate") && html`<a class="button" href="new-schedule"><${Icon} name="plus" />New schedule</a>`}</header>
    <div class="with-switch"><${Search} kind=${SEARCH} />
      <select class="narrow" aria-label="State" value=${enabled} onChange=${(/** @type {any} */ event) => go(href("schedules", query, { enabled: event.target.value, cursor: null }))}>
        <option value="">All states</option><option value="true">Active</option><option value="false">Paused</option></select></div>
    ${rows.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    ${placeholder(loaded, html`<${Nothing} />`) ?? html`<div class=${loaded.loading ? "schedules stale" : "schedules"}><${Table} label="Schedules" columns=${COLUMNS} rows=${rows} id=${(/** @type {Schedule} */ schedule) => schedule.name} /></div>`}
    <${Pager} path="schedules" page=${loaded.data} stale=${loaded.loading && !rows.length} />`;
}

function Nothing() {
  const { query } = route.value;
  if (query.get("queue") || query.get("enabled")) {
    return html`<${Empty} icon="search" title="No schedule matches"><div class="actions"><a class="button" href="schedules">Show all schedules</a></div></${Empty}>`;
  }
  return html`<${Empty} icon="scheduled" title="No schedules yet"><p>A schedule makes a task at each tick of its clock. From a shell:</p><${Command} text=${EXAMPLE} />
    ${may("operate") && html`<div class="actions"><a class="button primary" href="new-schedule">Write one</a></div>`}</${Empty}>`;
}

/** @param {Schedule} schedule */
function name(schedule) {
  return html`<a class="name" href=${scheduleHref(schedule.name)}><${Text} value=${schedule.name} /></a> ${!schedule.enabled && html`<${Pill} status="paused" title="It does not tick until it is resumed" />`}
    <span class="sub block"><${Text} value=${schedule.task.name} /> in <a href=${tasksWith("queue", schedule.task.queue)}><${Text} value=${schedule.task.queue} /></a></span>`;
}

/** @param {Schedule} schedule */
function when(schedule) {
  const words = inWords(schedule);
  const text = schedule.cron ?? `every ${schedule.every}`;
  return html`<div class="clamp">${words ? words[0].toUpperCase() + words.slice(1) : html`<code>${text}</code>`}</div>
    <span class="sub">${words && schedule.cron && html`<code>${text}</code> · `}${schedule.timezone ?? "no zone: elapsed time"}</span>`;
}

/** @param {Schedule} schedule */
function last({ runs: [run] }) {
  if (!run) return html`<span class="none">–</span>`;
  return html`<${Moment} at=${run.at} />${run.task_id ? html`<a class="sub block" href=${taskHref(run.task_id)}>task</a>` : html`<span class="sub block late" title=${run.reason}>no task</span>`}`;
}

/** @param {Schedule} schedule */
function next({ next_at, next_tick }) {
  const at = next_at ?? next_tick;
  if (!at) return html`<span class="none">–</span>`;
  return html`<${Moment} at=${at} />${Date.parse(at) < now.value - 15_000 && html`<span class="sub block late">late</span>`}`;
}

/** The last ticks, the latest at the right. @param {{ runs: ScheduleRun[] }} props */
export function Runs({ runs }) {
  if (!runs.length) return html`<span class="none">–</span>`;
  const made = runs.filter((run) => run.task_id).length;
  const label = `${made} of the last ${runs.length} ticks made a task`;
  return html`<span class="ticks" role="img" aria-label=${label} title=${label}>${[...runs].reverse().map((run) => html`<i key=${run.tick} class=${run.task_id ? "is-success" : "is-failed"}></i>`)}</span>`;
}

/** @param {Schedule} schedule */
function actions({ name: which, enabled }) {
  if (!may("operate")) return html`<span class="none">–</span>`;
  return html`<span class="row-actions"><button aria-label=${`Run now: ${which}`} onClick=${() => triggerSchedule(which)}><${Icon} name="running" />Run now</button>
    ${enabled ? html`<button class="ghost" title="Pause" aria-label=${`Pause ${which}`} onClick=${() => pauseSchedule(which)}><${Icon} name="pause" /></button>`
      : html`<button class="ghost" title="Resume" aria-label=${`Resume ${which}`} onClick=${() => resumeSchedule(which)}><${Icon} name="resume" /></button>`}</span>`;
}

/** The address of a schedule. @param {string} which */
export function scheduleHref(which) {
  return `schedule?name=${encodeURIComponent(which)}`;
}
