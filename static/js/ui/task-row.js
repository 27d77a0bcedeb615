// One task of a list, on two lines: what and how it stands; where, which attempt, what went wrong, when.
import { Ago, Pill, Since, Text } from "./bits.js";
import { taskHref, tasksWith } from "../filter.js";
import * as fmt from "../fmt.js";
import { html } from "../../vendor/preact.js";

/** @param {{ task: Task, selected: boolean, onSelect: (on: boolean) => void }} props */
export function TaskRow({ task, selected, onSelect }) {
  return html`<li class=${selected ? "task selected" : "task"} data-row>
    <input type="checkbox" aria-label=${`Select ${task.name} ${fmt.shortId(task.id)}`} checked=${selected}
      onChange=${(/** @type {any} */ event) => onSelect(event.target.checked)} />
    <div class="task-main">
      <div class="line"><a class="name" title=${task.name} href=${taskHref(task.id)}><${Text} value=${task.name} /></a>
        ${task.tags?.map((tag) => html`<a key=${tag} class="tag" title=${tag} href=${tasksWith("tag", tag)}><${Text} value=${tag} /></a>`)}</div>
      <div class="line sub"><code title=${task.id}>${fmt.shortId(task.id)}</code>
        <a title=${task.queue} href=${tasksWith("queue", task.queue)}><${Text} value=${task.queue} /></a>
        ${fmt.priorityClass(task.priority) !== "medium" && html`<span title="Priority">${fmt.priorityClass(task.priority)}</span>`}
        <span title="Attempts so far, of at most">${task.attempt}/${task.max_retries + 1}</span>
        ${task.error && html`<span class="why" title=${task.error.message}><${Text} value=${task.error.message} /></span>`}</div>
    </div>
    <div class="task-end"><${Pill} status=${task.status} /><span class="sub">${when(task)}</span></div>
  </li>`;
}

/** The one time that matters for its status. @param {Task} task */
function when(task) {
  if (task.status === "running" && task.started_at) return html`for <${Since} at=${task.started_at} />${task.cancel_requested ? ", asked to stop" : ""}`;
  if ((task.status === "scheduled" || task.status === "retry") && task.ready_at) return html`<${Ago} at=${task.ready_at} />`;
  if (task.finished_at) return html`${task.duration_ms !== null && html`${fmt.duration(task.duration_ms)} · `}<${Ago} at=${task.finished_at} />`;
  return html`<${Ago} at=${task.created_at} />`;
}
