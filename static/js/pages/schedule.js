// One schedule: what it does and when, what became of its last ticks, when the next come; changing it.
import { deleteSchedule, pauseSchedule, resumeSchedule, triggerSchedule } from "../actions/schedules.js";
import { inWords } from "../cron.js";
import { taskHref, tasksWith } from "../filter.js";
import { go, route } from "../router.js";
import { draftOf } from "../schedule.js";
import { may } from "../session.js";
import { useLive } from "../store.js";
import { Ago, Empty, ErrorNote, Facts, Moment, Pill, placeholder, Text } from "../ui/bits.js";
import { confirmThen } from "../ui/confirm.js";
import { Icon } from "../ui/icon.js";
import { Json } from "../ui/json.js";
import { ScheduleForm } from "../ui/schedule-form.js";
import { Tabs } from "../ui/tabs.js";
import { Ticks } from "../ui/ticks.js";
import { members } from "../json.js";
import { scheduleHref } from "./schedules.js";
import { html } from "../../vendor/preact.js";

const BACK = html`<p class="crumbs"><a href="schedules"><${Icon} name="newer" />Schedules</a></p>`;

export function SchedulePage() {
  const name = route.value.query.get("name") ?? "";
  const path = `/schedules/${encodeURIComponent(name)}`;
  const loaded = useLive(path, { topics: ["tasks"], every: 5_000 });
  /** @type {Schedule | null} */
  const schedule = loaded.data;
  if (!schedule && loaded.error?.status === 404) return html`${BACK}<h1 class="sr">Schedule</h1><${Empty} icon="search" title="There is no such schedule"><p>It may have been deleted.</p></${Empty}>`;
  if (!schedule) return html`${BACK}<h1 class="sr">Schedule</h1>${loaded.error ? html`<${ErrorNote} error=${loaded.error} />` : html`<div class="skeleton"><i></i><i></i><i></i></div>`}`;
  const tabs = [
    { id: "runs", label: "Last ticks", body: () => html`<${Runs} schedule=${schedule} />` },
    { id: "preview", label: "Next ticks", body: () => html`<${Preview} path=${path} version=${schedule.version} />` },
    { id: "task", label: "Task", body: () => html`<${Json} text=${members(loaded.text).get("task") ?? "{}"} label="task" />` },
    ...(may("operate") ? [{ id: "edit", label: "Edit", body: () => html`<${Edit} schedule=${schedule} text=${loaded.text} />` }] : []),
  ];
  return html`${BACK}${loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    <${Header} schedule=${schedule} />
    <div class="detail"><aside><h2>Details</h2><${About} schedule=${schedule} /></aside>
      <section><${Tabs} path="schedule" tabs=${tabs} initial="runs" /></section></div>`;
}

/** @param {{ schedule: Schedule }} props */
function Header({ schedule: { name, enabled, cron, every } }) {
  const words = inWords({ cron, every });
  const ask = () => confirmThen({ title: `Delete the schedule ${name}?`, text: "The tasks it has made stay.", verb: "Delete it", run: () => deleteSchedule(name, () => go("schedules")) });
  return html`<header class="head"><div><h1><${Text} value=${name} /></h1>
      <p class="line"><${Pill} status=${enabled ? "active" : "paused"} />${words ? html`<span>${words}</span>` : ""}<code>${cron ?? ""}</code></p></div>
    ${may("operate") && html`<div class="actions"><button onClick=${() => triggerSchedule(name)}><${Icon} name="running" />Run now</button>
      ${enabled ? html`<button onClick=${() => pauseSchedule(name)}><${Icon} name="pause" />Pause</button>` : html`<button onClick=${() => resumeSchedule(name)}><${Icon} name="resume" />Resume</button>`}
      <button class="danger" onClick=${ask}><${Icon} name="trash" />Delete</button></div>`}</header>
    ${!enabled && html`<p class="waits"><${Icon} name="info" />It is paused: it does not tick until it is resumed, and what would have ticked meanwhile is not caught up with.</p>`}`;
}

/** @param {{ schedule: Schedule }} props */
function About({ schedule }) {
  return html`<${Facts} facts=${[
    ["Next", schedule.next_at && html`<${Moment} at=${schedule.next_at} />`],
    ["Zone", schedule.timezone ?? "none: elapsed time"],
    ["Task", html`<${Text} value=${schedule.task.name} />`],
    ["Queue", html`<a href=${tasksWith("queue", schedule.task.queue)}><${Text} value=${schedule.task.queue} /></a>`],
    ["Late ticks", { skip: "left out", one: "the last is made", all: "all are made" }[schedule.catch_up]],
    ["Overlap", schedule.overlap === "skip" ? "left out while the last task is not over" : "allowed"],
    ["Jitter", schedule.jitter && `up to ${schedule.jitter}`],
    ["Made", String(schedule.made)],
    ["Missed", schedule.missed > 0 && String(schedule.missed)],
    ["Overlapped", schedule.overlapped > 0 && String(schedule.overlapped)],
    ["Refused", schedule.refused > 0 && html`<span class="late">${schedule.refused}</span>`],
    ["Set by", schedule.origin === "file" ? "the configuration file" : "the API"],
    ["Changed", html`<${Ago} at=${schedule.updated_at} />`],
  ]} />`;
}

/** @param {{ schedule: Schedule }} props */
function Runs({ schedule: { runs } }) {
  if (!runs.length) return html`<p class="muted">It has not ticked yet.</p>`;
  return html`<ul class="lines">${runs.map((run) => html`<li key=${run.tick} class="line" data-row><${Moment} at=${run.tick} />
    <span class="end">${run.task_id ? html`<${RunTask} id=${run.task_id} />` : html`<span class="late"><${Text} value=${run.reason ?? "no task"} /></span>`}</span></li>`)}</ul>`;
}

/** What has become of the task of a tick. @param {{ id: string }} props */
function RunTask({ id }) {
  const { data } = useLive(`/tasks/${encodeURIComponent(id)}`, { topics: ["tasks"], every: 30_000, concerns: (hint) => Boolean(hint.ids?.includes(id)) });
  return html`<a href=${taskHref(id)}>${data ? html`<${Pill} status=${data.status} />` : "task"}</a>`;
}

/** @param {{ path: string, version: number }} props */
function Preview({ path, version }) {
  const loaded = useLive(`${path}/preview?n=10`, { every: 30_000, group: String(version) });
  return placeholder(loaded, html`<p class="muted">It ticks no more.</p>`) ?? html`<${Ticks} ticks=${loaded.data.data} />`;
}

/** @param {{ schedule: Schedule, text: string }} props */
function Edit({ schedule, text }) {
  return html`${schedule.origin === "file" && html`<p class="waits"><${Icon} name="info" />The configuration file sets this schedule again at each start: what is changed here lasts until then.</p>`}
    <${ScheduleForm} key=${schedule.version} from=${draftOf(schedule, text)} version=${schedule.version} enabled=${schedule.enabled} onSaved=${() => go(scheduleHref(schedule.name), { replace: true })} />`;
}
