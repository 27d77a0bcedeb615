// A task's life as a vertical list: each moment, and the time between.
import { Ago } from "./bits.js";
import { Icon } from "./icon.js";
import { zone } from "./settings.js";
import * as fmt from "../fmt.js";
import { now } from "../store.js";
import { html } from "../../vendor/preact.js";

/** @typedef {{ label: string, at: string, icon: string }} Moment */

/** @param {{ task: Task }} props */
export function Timeline({ task }) {
  const moments = momentsOf(task);
  return html`<ol class="timeline">${moments.map(({ label, at, icon }, index) => html`<li key=${label} class=${`is-${icon}`}>
    <${Icon} name=${icon} />
    <div><strong>${label}</strong> <span class="muted"><${Ago} at=${at} /></span>
      <p class="muted">${fmt.clock(at, now.value, zone.value)}${index > 0 && ` · after ${fmt.duration(Date.parse(at) - Date.parse(moments[index - 1].at))}`}</p></div>
  </li>`)}</ol>`;
}

/** @param {Task} task @returns {Moment[]} */
export function momentsOf(task) {
  const ends = { success: "Succeeded", failed: "Failed", timeout: "Timed out", cancelled: "Cancelled", expired: "Expired", skipped: "Skipped" };
  const end = ends[/** @type {keyof typeof ends} */ (task.status)];
  /** @type {[string, string | null, string][]} */
  const all = [
    ["Created", task.created_at, "plus"],
    ["Due", task.run_at, "scheduled"],
    task.status === "retry" ? ["Next attempt", task.ready_at, "retry"] : ["Ready", task.ready_at === task.run_at ? null : task.ready_at, "queued"],
    [task.attempt > 1 ? `Attempt ${task.attempt} started` : "Started", task.started_at, "running"],
    [end ?? "Last attempt ended", task.finished_at, end ? task.status : "failed"],
  ];
  return all.flatMap(([label, at, icon]) => (at ? [{ label, at, icon }] : [])).sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
