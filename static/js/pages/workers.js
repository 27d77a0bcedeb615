// Workers: nodes and those that ask for tasks over the API; what each slot runs and for how long; quieting and stopping them.
import { askWorker } from "../actions/more.js";
import { chips, taskHref, tasksWith } from "../filter.js";
import * as fmt from "../fmt.js";
import { go, href, route } from "../router.js";
import { may } from "../session.js";
import { useLive } from "../store.js";
import { Count, Empty, ErrorNote, Pill, placeholder, Since, Text } from "../ui/bits.js";
import { confirmThen } from "../ui/confirm.js";
import { Command } from "../ui/copy.js";
import { Icon } from "../ui/icon.js";
import { Search } from "../ui/search.js";
import { html } from "../../vendor/preact.js";

const LATE_S = 15;
/** Slots of a worker shown one by one; of more, those that run something. */
const MOST_SLOTS = 64;
/** @type {import("../ui/search.js").Kind} */
const SEARCH = { path: "workers", label: "Filter workers", keys: ["queue", "label", "state"], rest: "host" };

export function Workers() {
  const { query } = route.value;
  const loaded = useLive("/workers", { topics: ["workers", "tasks"], every: 3_000 });
  /** @type {Worker[]} */
  const all = loaded.data?.data ?? [];
  const gone = all.filter(isGone).length;
  const shown = all.filter((worker) => matches(worker, query) && (query.get("all") || query.get("state") || !isGone(worker)));
  const [busy, slots] = [sum(shown, busyOf), sum(shown.filter((worker) => !isGone(worker)), (worker) => worker.slots_total)];
  return html`<header class="head"><div><h1>Workers</h1>${all.length > 0 && html`<p class="muted">${fmt.plural(all.length - gone, "worker")}, ${fmt.exact(busy)} of ${fmt.exact(slots)} slots busy</p>`}</div></header>
    ${all.length > 0 && html`<div class="with-switch"><${Search} kind=${SEARCH} />
      ${gone > 0 && html`<label class="check"><input type="checkbox" checked=${Boolean(query.get("all"))} onChange=${() => go(href("workers", query, { all: query.get("all") ? null : "1" }))} />Stopped and lost ones too</label>`}</div>`}
    ${all.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    ${placeholder(loaded, html`<${Empty} title="No worker is connected"><p>Tasks wait until one is. Start one with:</p><${Command} text="jobqueue worker" /></${Empty}>`)
      ?? (shown.length ? html`<ul class="workers">${shown.map((worker) => html`<${WorkerRow} key=${worker.id} worker=${worker} />`)}</ul>`
        : html`<${Empty} icon="search" title=${chips(query, [...SEARCH.keys, SEARCH.rest]).length ? "No worker matches" : "No worker is connected"}><div class="actions"><a class="button" href="workers?all=1">Show all workers</a></div></${Empty}>`)}`;
}

/** @param {{ worker: Worker }} props */
function WorkerRow({ worker }) {
  const late = worker.heartbeat_age_s > LATE_S && !isGone(worker);
  const called = worker.name ?? worker.host;
  const slots = worker.slots.length > MOST_SLOTS ? worker.slots.filter((slot) => slot.started_at) : worker.slots;
  return html`<li data-row>
    <div class="line"><a class="name" href=${tasksWith("worker", worker.id)}><${Text} value=${called} /></a><${Pill} status=${worker.state} />
      ${worker.kind === "remote" && html`<span class="tag" title="It asks for tasks over the API">remote</span>`}
      ${worker.asked && worker.state === "alive" && html`<span class="muted">asked to ${worker.asked === "quiet" ? "start nothing new" : "stop"}</span>`}
      ${worker.labels?.map((label) => html`<a key=${label} class="tag" href=${href("workers", new URLSearchParams(), { label })}><${Text} value=${label} /></a>`)}
      <span class="end">${busyOf(worker)} of ${worker.slots_total} slots busy</span><${Actions} worker=${worker} /></div>
    <p class="sub facts-line">${called !== worker.host && html`<span>host <${Text} value=${worker.host} /></span>`}<span>pid ${worker.pid}</span><span>${worker.client ? html`<${Text} value=${worker.client} />` : `version ${worker.version}`}</span>${!isGone(worker) && html`<span>up <${Since} at=${worker.started_at} /></span>`}
      <span class=${late ? "late" : ""}>heartbeat ${fmt.relative(0, worker.heartbeat_age_s * 1000)}</span>
      ${worker.rss_bytes && html`<span>${fmt.bytes(worker.rss_bytes)} of memory</span>`}
      ${worker.processed !== null && html`<span><${Count} value=${worker.processed} /> processed</span><span><${Count} value=${worker.failed ?? 0} /> failed</span>`}<code title=${worker.id}>${fmt.shortId(worker.id)}</code></p>
    <${Offers} worker=${worker} />
    ${slots.length > 0 && !(isGone(worker) && !busyOf(worker)) && html`<ol class="slots" aria-label=${`Slots of ${called}`}>${slots.map((slot) => html`<${SlotItem} key=${slot.slot} ...${slot} />`)}</ol>`}
  </li>`;
}

/** Which queues it takes tasks of and which it can run. @param {{ worker: Worker }} props */
function Offers({ worker: { queues, names: some } }) {
  const names = some ?? [];
  if (!queues.length && !names.length) return null;
  return html`<p class="sub facts-line">${queues.length > 0 && html`<span>queues ${queues.slice(0, 8).map((queue, index) => html`${index > 0 && ", "}<a href=${href("queue", new URLSearchParams(), { name: queue })}><${Text} value=${queue} /></a>`)}${more(queues, 8)}</span>`}
    ${names.length > 0 && html`<span title=${names.join(", ")}>runs ${names.slice(0, 6).map((name, index) => html`${index > 0 && ", "}<${Text} value=${name} />`)}${more(names, 6)}</span>`}</p>`;
}

/** What can be asked of it, where the server can tell it. @param {{ worker: Worker }} props */
function Actions({ worker }) {
  if (!may("operate") || worker.kind === undefined || isGone(worker)) return null;
  const called = worker.name ?? worker.host;
  const stop = () => confirmThen({ title: `Stop ${called}?`, text: "It finishes what runs, starts nothing new, and ends.", verb: "Stop it", run: () => askWorker(worker, "stop") });
  return html`<span class="row-actions">${worker.asked || worker.state === "quiet" ? html`<button aria-label=${`Resume ${called}`} onClick=${() => askWorker(worker, "resume")}><${Icon} name="resume" />Resume</button>`
    : html`<button aria-label=${`Quiet ${called}`} title="It starts nothing new" onClick=${() => askWorker(worker, "quiet")}><${Icon} name="pause" />Quiet</button>`}
    <button class="danger" aria-label=${`Stop ${called}`} onClick=${stop}>Stop</button></span>`;
}

/** @param {Slot} props */
function SlotItem({ slot, task_id, name, started_at }) {
  if (!started_at) return html`<li class="idle"><span class="muted">${slot}</span>idle</li>`;
  return html`<li class="is-running"><span class="muted">${slot}</span>
    ${task_id ? html`<a title=${name} href=${taskHref(task_id)}><${Text} value=${name ?? task_id} /></a>` : html`<span class="muted" title="A task of a queue that this key may not see">busy</span>`}
    <span class="end"><${Since} at=${started_at} /></span></li>`;
}

/** @param {Worker} worker */
function isGone({ state }) {
  return state === "dead" || state === "stopped";
}

/** @param {Worker} worker */
function busyOf(worker) {
  return worker.slots.filter((slot) => slot.started_at).length;
}

/** @param {Worker[]} workers @param {(worker: Worker) => number} of */
function sum(workers, of) {
  return workers.reduce((total, worker) => total + of(worker), 0);
}

/** @param {Worker} worker @param {URLSearchParams} query */
function matches(worker, query) {
  const is = (/** @type {string} */ key, /** @type {(value: string) => boolean} */ holds) => { const value = query.get(key); return !value || holds(value); };
  return is("queue", (queue) => !worker.queues?.length || worker.queues.includes(queue)) && is("label", (label) => Boolean(worker.labels?.includes(label)))
    && is("state", (state) => worker.state === state) && is("host", (text) => `${worker.name ?? ""} ${worker.host} ${worker.id}`.toLowerCase().includes(text.toLowerCase()));
}

/** @param {string[]} list @param {number} shown */
function more(list, shown) {
  return list.length > shown && ` and ${list.length - shown} more`;
}
