// Ticks of a schedule to come: how far off each is, and what the clock of its zone shows then.
import { Moment } from "./bits.js";
import { html } from "../../vendor/preact.js";

/** @param {{ ticks: ScheduleTick[] }} props */
export function Ticks({ ticks }) {
  return html`<ul class="lines">${ticks.map(({ tick, due_at, local }) => html`<li key=${tick} class="line" data-row><${Moment} at=${due_at} />
    <span class="muted end" title="By the clock of the schedule's zone">${local.replace("T", " ")}</span></li>`)}</ul>`;
}
