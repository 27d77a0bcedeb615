// The tasks around one: what it waits for, or has waited for, and what waits for it.
import { ErrorNote, Pill, Text } from "./bits.js";
import { taskHref } from "../filter.js";
import * as fmt from "../fmt.js";
import { useLive } from "../store.js";
import { workflowHref } from "../workflow.js";
import { html } from "../../vendor/preact.js";

/** @param {{ id: string }} props */
export function Relatives({ id }) {
  const loaded = useLive(`/tasks/${encodeURIComponent(id)}/dependencies`, { topics: ["tasks"], every: 10_000 });
  if (!loaded.data) return loaded.error ? html`<${ErrorNote} error=${loaded.error} />` : html`<div class="skeleton" aria-busy="true"><i></i><i></i></div>`;
  const { parents, children, more_children } = loaded.data;
  if (!parents.length && !children.length) return html`<p class="muted">It waits for no other task, and none waits for it.</p>`;
  return html`<${List} title="Waits for" relatives=${parents} /><${List} title=${more_children ? "Waited for by the first of many" : "Waited for by"} relatives=${children} />`;
}

/** @param {{ title: string, relatives: Relative[] }} props */
function List({ title, relatives }) {
  return relatives.length > 0 && html`<h3>${title}</h3><ul class="lines">${relatives.map(({ id, name, queue, status, on_failure }) => html`<li key=${id} class="line" data-row>
    <a href=${queue === null ? workflowHref(id) : taskHref(id)}><${Text} value=${name || "workflow"} /></a><code class="muted" title=${id}>${fmt.shortId(id)}</code>
    ${on_failure !== "skip" && html`<span class="muted">${on_failure === "run" ? "whatever becomes of it" : "if it fails"}</span>`}<span class="end"><${Pill} status=${status} /></span></li>`)}</ul>`;
}
