// One task: how it stands, its life, what went in and what came out, every attempt.
import { cancelTask, deleteTask, retryTask, runTaskNow } from "../actions/tasks.js";
import { submitBody, submitCurl } from "../curl.js";
import { taskHref, tasksWith } from "../filter.js";
import * as fmt from "../fmt.js";
import { members } from "../json.js";
import { go } from "../router.js";
import { may } from "../session.js";
import { canCancel, canRetry } from "../status.js";
import { useLive } from "../store.js";
import { Attempts, concernsTask } from "../ui/attempts.js";
import { Ago, Empty, ErrorNote, Pill, Since, Text } from "../ui/bits.js";
import { confirmThen } from "../ui/confirm.js";
import { Copy } from "../ui/copy.js";
import { ErrorView } from "../ui/error-view.js";
import { Icon } from "../ui/icon.js";
import { Json } from "../ui/json.js";
import { Log, ProgressBar } from "../ui/log.js";
import { Relatives } from "../ui/relatives.js";
import { Tabs } from "../ui/tabs.js";
import { Timeline } from "../ui/timeline.js";
import { html } from "../../vendor/preact.js";

const WAITS = new Set(["pending", "scheduled", "queued", "retry"]);

/** @param {{ id: string }} props */
export function TaskPage({ id }) {
  const loaded = useLive(`/tasks/${encodeURIComponent(id)}`, { topics: ["tasks", "progress"], concerns: (hint) => (hint.task_id ? hint.task_id === id : concernsTask(hint, id)), every: 10_000 });
  /** @type {Task | null} */
  const task = loaded.data;
  const back = html`<p class="crumbs"><a href="tasks"><${Icon} name="newer" />Tasks</a></p>`;
  if (!task && loaded.error?.status === 404) {
    return html`${back}<h1 class="sr">Task</h1><${Empty} icon="search" title="There is no such task"><p>It was deleted, or its time in the history is over: <code>${id}</code></p></${Empty}>`;
  }
  if (!task) return html`${back}<h1 class="sr">Task</h1>${loaded.error ? html`<${ErrorNote} error=${loaded.error} />` : html`<div class="skeleton"><i></i><i></i><i></i></div>`}`;
  const parts = members(loaded.text);
  return html`${back}${loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    <${Header} task=${task} parts=${parts} />
    ${task.progress && html`<${ProgressBar} progress=${task.progress} />`}
    ${WAITS.has(task.status) && html`<${Waits} key=${task.status} id=${task.id} />`}
    <div class="detail">
      <aside><h2>Timeline</h2><${Timeline} task=${task} /><h2>Details</h2><${Facts} task=${task} /></aside>
      <section><${Tabs} path=${taskHref(id)} tabs=${tabs(task, parts, loaded.text)} initial=${initialTab(task)} /></section>
    </div>`;
}

/** Why it does not run yet. @param {{ id: string }} props */
function Waits({ id }) {
  const { data } = useLive(`/tasks/${encodeURIComponent(id)}/explain`, { every: 5_000 });
  return data && html`<p class="waits"><${Icon} name="info" /><span><${Text} value=${`${data.summary}.`} />
    ${data.not_before && html`<span class="muted">Not before: <${Ago} at=${data.not_before} /></span>`}</span></p>`;
}

/** @param {{ task: Task, parts: Map<string, string> }} props */
function Header({ task, parts }) {
  const asked = task.status === "running" && task.cancel_requested;
  return html`<header class="head">
    <div><h1><${Text} value=${task.name} /></h1>
      <p class="line"><${Pill} status=${task.status} />${asked && html`<span class="muted">asked to stop</span>`}
        <span class="id"><code>${task.id}</code><${Copy} text=${task.id} label="Copy the id" /></span></p></div>
    <div class="actions">
      <${Copy} text=${() => curlOf(task, parts)} label="Copy the curl that submits the same task">Copy as curl</${Copy}>
      ${may("operate") && (task.status === "scheduled" || task.status === "retry") && html`<button onClick=${() => runTaskNow(task.id)}><${Icon} name="running" />Run now</button>`}
      ${may("operate") && canRetry(task.status) && html`<button class="danger" onClick=${() => askDelete(task)}><${Icon} name="trash" />Delete</button>`}
      ${may("operate") && canRetry(task.status) && html`<button onClick=${() => retryTask(task.id)}><${Icon} name="retry" />Retry</button>`}
      ${may("operate") && canCancel(task.status) && html`<button disabled=${asked} onClick=${() => cancelTask(task.id)}><${Icon} name="cancelled" />Cancel</button>`}
    </div>
  </header>`;
}

/** @param {Task} task */
function askDelete({ id, name }) {
  confirmThen({ title: `Delete ${name}?`, text: "The task is gone for good, with its result and its attempts.", verb: "Delete it", run: () => deleteTask(id, () => go("tasks")) });
}

/** @param {Task} task @param {Map<string, string>} parts @param {string} text @returns {import("../ui/tabs.js").Tab[]} */
function tabs(task, parts, text) {
  const part = (/** @type {string} */ name, /** @type {string} */ none) => parts.get(name) ?? none;
  return [
    { id: "args", label: "Arguments", body: () => html`<h3>args</h3><${Json} text=${part("args", "[]")} label="args" /><h3>kwargs</h3><${Json} text=${part("kwargs", "{}")} label="kwargs" />
      ${part("meta", "{}") !== "{}" && html`<h3>meta</h3><${Json} text=${part("meta", "{}")} label="meta" />`}` },
    { id: "result", label: "Result", body: () => (task.status === "success"
      ? html`<${Json} text=${part("result", "null")} label="result" />`
      : html`<p class="muted">A result is there once the task succeeds.</p>`) },
    { id: "error", label: "Error", body: () => (task.error ? html`<${ErrorView} error=${task.error} />` : html`<p class="muted">No error.</p>`) },
    { id: "attempts", label: `Attempts ${task.attempt}`, body: () => html`<${Attempts} id=${task.id} />` },
    { id: "log", label: "Log", body: () => html`<${Log} id=${task.id} />` },
    { id: "relatives", label: "Dependencies", body: () => html`<${Relatives} id=${task.id} />` },
    { id: "raw", label: "Raw", body: () => html`<${Json} text=${text} label="raw JSON" />` },
  ];
}

/** What one comes for. @param {Task} task */
function initialTab(task) {
  if (task.status === "success") return "result";
  return task.error ? "error" : "args";
}

/** @param {{ task: Task }} props */
function Facts({ task }) {
  /** @type {[string, unknown][]} */
  const facts = [
    ["Queue", html`<a href=${tasksWith("queue", task.queue)}><${Text} value=${task.queue} /></a>`],
    ["Priority", `${fmt.priorityClass(task.priority)} (${task.priority})`],
    ["Attempt", `${task.attempt} of at most ${task.max_retries + 1}`],
    ["Failures", task.failures > 0 && String(task.failures)],
    ["Crashes", task.crashes > 0 && String(task.crashes)],
    ["Snoozed", task.snoozes > 0 && `${task.snoozes} times`],
    ["Timeout", task.timeout_ms === null ? "none" : fmt.duration(task.timeout_ms)],
    ["Running for", task.status === "running" && task.started_at && html`<${Since} at=${task.started_at} />`],
    ["Ran", task.duration_ms !== null && fmt.duration(task.duration_ms)],
    ["Next attempt", task.status === "retry" && task.ready_at && html`<${Ago} at=${task.ready_at} />`],
    ["Expires", task.expires_at && html`<${Ago} at=${task.expires_at} />`],
    ["Worker", task.worker_id && html`<a href=${tasksWith("worker", task.worker_id)} title=${task.worker_id}><code>${fmt.shortId(task.worker_id)}</code></a>`],
    ["Unique key", task.unique_key && html`<code><${Text} value=${task.unique_key} /></code>`],
    ["Fair key", task.fair_key && html`<code><${Text} value=${task.fair_key} /></code>`],
    ["Rate key", task.rate_key && html`<code><${Text} value=${task.rate_key} /></code>${(task.cost ?? 1) > 1 && ` costs ${fmt.exact(task.cost ?? 1)}`}`],
    ["Concurrency key", task.concurrency_key && html`<code><${Text} value=${task.concurrency_key} /></code>`],
    ["Requires", task.requires.length > 0 && task.requires.map((label) => html`<code key=${label} class="tag"><${Text} value=${label} /></code> `)],
    ["Tags", task.tags.length > 0 && task.tags.map((tag) => html`<a key=${tag} class="tag" href=${tasksWith("tag", tag)}><${Text} value=${tag} /></a> `)],
    ["Generation", task.generation > 1 && String(task.generation)],
  ];
  return html`<dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** @param {Task} task @param {Map<string, string>} parts */
function curlOf(task, parts) {
  return submitCurl(submitBody({
    name: task.name, args: parts.get("args"), kwargs: parts.get("kwargs"), queue: task.queue, priority: task.priority,
    max_retries: task.max_retries, tags: task.tags.length ? task.tags : null,
    fair_key: task.fair_key, rate_key: task.rate_key, cost: task.cost === 1 ? null : task.cost, concurrency_key: task.concurrency_key,
    requires: task.requires.length ? task.requires : null,
  }), location.origin);
}
