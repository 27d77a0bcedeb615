// Workers: which are there, what each slot runs and for how long.
import { taskHref, tasksWith } from "../filter.js";
import * as fmt from "../fmt.js";
import { useLive } from "../store.js";
import { Count, Empty, ErrorNote, Pill, placeholder, Since, Text } from "../ui/bits.js";
import { Command } from "../ui/copy.js";
import { html } from "../../vendor/preact.js";

const LATE_S = 15;

export function Workers() {
  const loaded = useLive("/workers", { topics: ["workers", "tasks"], every: 3_000 });
  /** @type {Worker[]} */
  const rows = loaded.data?.data ?? [];
  return html`<header class="head"><h1>Workers</h1></header>
    ${rows.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    ${placeholder(loaded, html`<${Empty} title="No worker is connected"><p>Tasks wait until one is. Start one with:</p><${Command} text="jobqueue worker" /></${Empty}>`)
      ?? html`<ul class="workers">${rows.map((worker) => html`<${WorkerRow} key=${worker.id} worker=${worker} />`)}</ul>`}`;
}

/** @param {{ worker: Worker }} props */
function WorkerRow({ worker }) {
  const busy = worker.slots.filter((slot) => slot.task_id).length;
  const late = worker.heartbeat_age_s > LATE_S;
  return html`<li data-row>
    <div class="line"><a class="name bdi" href=${tasksWith("worker", worker.id)}>${worker.host}</a><${Pill} status=${worker.state} />
      <span class="end">${busy} of ${worker.slots_total} slots busy</span></div>
    <p class="sub facts-line"><span>pid ${worker.pid}</span><span>version ${worker.version}</span>${worker.state !== "dead" && html`<span>up <${Since} at=${worker.started_at} /></span>`}
      <span class=${late ? "late" : ""}>heartbeat ${fmt.relative(0, worker.heartbeat_age_s * 1000)}</span>
      <span><${Count} value=${worker.processed} /> processed</span><span><${Count} value=${worker.failed} /> failed</span><code title=${worker.id}>${fmt.shortId(worker.id)}</code></p>
    <${Offer} worker=${worker} />
    ${(worker.state !== "dead" || busy > 0) && html`<ol class="slots" aria-label=${`Slots of ${worker.host}`}>${worker.slots.map((slot) => html`<${SlotItem} key=${slot.slot} ...${slot} />`)}</ol>`}
  </li>`;
}

/** What it takes, where that is not everything. @param {{ worker: Worker }} props */
function Offer({ worker }) {
  if (worker.queues.length + worker.labels.length === 0) return null;
  return html`<p class="sub facts-line">${worker.queues.length > 0 && html`<span>queues <${Text} value=${worker.queues.join(", ")} /></span>`}
    ${worker.labels.length > 0 && html`<span>labels <${Text} value=${worker.labels.join(", ")} /></span>`}</p>`;
}

/** @param {Slot} props */
function SlotItem({ slot, task_id, name, started_at }) {
  if (!task_id) return html`<li class="idle"><span class="muted">${slot}</span>idle</li>`;
  return html`<li class="is-running"><span class="muted">${slot}</span>
    <a title=${name} href=${taskHref(task_id)}><${Text} value=${name ?? task_id} /></a>
    ${started_at && html`<span class="end"><${Since} at=${started_at} /></span>`}
  </li>`;
}
