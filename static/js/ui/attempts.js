// A task's attempts, newest first.
import { Ago, placeholder, Pill, Since } from "./bits.js";
import { ErrorView } from "./error-view.js";
import { tasksWith } from "../filter.js";
import * as fmt from "../fmt.js";
import { useLive } from "../store.js";
import { html } from "../../vendor/preact.js";

/** @param {{ id: string }} props */
export function Attempts({ id }) {
  const loaded = useLive(`/tasks/${encodeURIComponent(id)}/attempts`, { topics: ["tasks"], concerns: (hint) => concernsTask(hint, id) });
  /** @type {Attempt[]} */
  const attempts = [...(loaded.data?.data ?? [])].reverse();
  return placeholder(loaded, html`<p class="muted">Not tried yet.</p>`) ?? html`<ol class="attempts" reversed>
    ${attempts.map((attempt, index) => html`<li key=${`${attempt.generation}.${attempt.number}`}>
      <div class="line"><strong>Attempt ${attempt.number}</strong>
        ${attempt.generation > 1 && html`<span class="muted" title="Each retry by hand starts a new generation">generation ${attempt.generation}</span>`}
        <${Pill} status=${attempt.outcome} />
        <span class="end"><${Ago} at=${attempt.started_at} /></span></div>
      <p class="sub">${ran(attempt)}${attempt.worker_id && html` on <a href=${tasksWith("worker", attempt.worker_id)} title=${attempt.worker_id}><code>${fmt.shortId(attempt.worker_id)}</code></a>`}
        ${attempt.next_delay_ms !== null && ` · next attempt after ${fmt.duration(attempt.next_delay_ms)}`}</p>
      ${attempt.error && html`<${ErrorView} error=${attempt.error} folded=${index > 0} />`}
    </li>`)}
  </ol>`;
}

/** Whether a hint may be about one task: its ids are cut at a hundred. @param {Hint} hint @param {string} id */
export function concernsTask(hint, id) {
  return !hint.ids || hint.ids.length >= 100 || hint.ids.includes(id);
}

/** @param {Attempt} attempt */
function ran(attempt) {
  if (attempt.duration_ms !== null) return `Ran ${fmt.duration(attempt.duration_ms)}`;
  return attempt.finished_at ? "Ran" : html`Running for <${Since} at=${attempt.started_at} />`;
}
