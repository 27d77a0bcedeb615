// How far a task has come, and what its handlers have said.
import { ErrorNote, Text } from "./bits.js";
import * as fmt from "../fmt.js";
import { now, useLive } from "../store.js";
import { html } from "../../vendor/preact.js";

/** @param {{ progress: Progress }} props */
export function ProgressBar({ progress: { percent, message } }) {
  return html`<div class="progress">
    ${percent !== null && html`<progress max="100" value=${percent} aria-label="Progress"></progress><span class="num">${Math.floor(percent)} %</span>`}
    ${message && html`<${Text} value=${message} />`}
  </div>`;
}

/** @param {{ id: string }} props */
export function Log({ id }) {
  const loaded = useLive(`/tasks/${encodeURIComponent(id)}/logs`, { topics: ["log"], concerns: (hint) => hint.task_id === id, every: 10_000 });
  /** @type {LogLine[]} */
  const lines = loaded.data?.data ?? [];
  if (loaded.error && !loaded.data) return html`<${ErrorNote} error=${loaded.error} />`;
  if (lines.length === 0) return html`<p class="muted">${loaded.loading ? "Loading…" : "Its handler has said nothing."}</p>`;
  const several = lines[0].attempt !== lines[lines.length - 1].attempt;
  return html`${loaded.data.dropped > 0 && html`<p class="muted">${fmt.exact(loaded.data.dropped)} older lines are not kept.</p>`}
    <ol class="log" tabindex="0" aria-label="Log">${lines.map((line, index) => html`<li key=${index} class=${`is-${line.level}`}>
      <time datetime=${line.at} title=${fmt.absolute(line.at)}>${fmt.clock(line.at, now.value)}</time>
      ${several && html`<span class="muted" title="Attempt">${line.attempt}</span>`}
      <span class="muted level">${line.level}</span><${Text} value=${line.message} />
    </li>`)}</ol>`;
}
