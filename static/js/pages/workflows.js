// Workflows: which there are and how far each has come.
import * as fmt from "../fmt.js";
import { go, href, route } from "../router.js";
import { now, useLive } from "../store.js";
import { Ago, Bar, Empty, ErrorNote, Pill, placeholder, Text } from "../ui/bits.js";
import { Command } from "../ui/copy.js";
import { Pager } from "../ui/pager.js";
import { Search } from "../ui/search.js";
import { Table } from "../ui/table.js";
import { inWords, partsOf, STATES, workflowHref } from "../workflow.js";
import { html } from "../../vendor/preact.js";

/** @type {import("../ui/search.js").Kind} */
const SEARCH = { path: "workflows", label: "Filter workflows", keys: ["name"], rest: "name", set: ["created_after", "created_before"] };
const FILTERS = ["state", "name", "created_after", "created_before", "cursor"];
const EXAMPLE = `curl -X POST ${globalThis.location?.origin ?? ""}/api/v1/workflows -H 'Content-Type: application/json' -d '{"chain":[{"name":"demo.echo"},{"name":"demo.sleep","args":[5]}]}'`;

/** @type {import("../ui/table.js").Column[]} */
const COLUMNS = [
  { label: "Workflow", main: true, cell: name },
  { label: "State", cell: (/** @type {Workflow} */ workflow) => html`<${Pill} status=${workflow.state} title=${STATES[workflow.state]} />` },
  { label: "Progress", cell: (/** @type {Workflow} */ { progress }) => html`<${Bar} parts=${partsOf(progress)} total=${progress.total} /><span class="sub">${inWords(progress)}</span>` },
  { label: "Took", num: true, cell: (/** @type {Workflow} */ workflow) => (workflow.duration_ms === null ? html`<span class="muted">${fmt.elapsed(now.value - Date.parse(workflow.created_at))}</span>` : fmt.duration(workflow.duration_ms)) },
  { label: "Created", num: true, cell: (/** @type {Workflow} */ workflow) => html`<${Ago} at=${workflow.created_at} />` },
];

export function Workflows() {
  const { query } = route.value;
  const state = query.get("state") ?? "";
  const wanted = new URLSearchParams({ limit: "50" });
  for (const key of FILTERS) if (query.get(key)) wanted.set(key, query.get(key) ?? "");
  const loaded = useLive(`/workflows?${wanted}`, { topics: ["tasks"], every: 10_000, group: state });
  const rows = loaded.data?.data ?? [];
  return html`<header class="head"><div><h1>Workflows</h1><p class="muted">Tasks that wait for one another, followed as one.</p></div></header>
    <div class="with-switch"><${Search} kind=${SEARCH} />
      <select class="narrow" aria-label="State" value=${state} onChange=${(/** @type {any} */ event) => go(href("workflows", query, { state: event.target.value, cursor: null }))}>
        <option value="">All states</option>${Object.keys(STATES).map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></div>
    ${rows.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    ${placeholder(loaded, html`<${Nothing} />`) ?? html`<div class=${loaded.loading ? "workflows stale" : "workflows"}><${Table} label="Workflows" columns=${COLUMNS} rows=${rows} id=${(/** @type {Workflow} */ workflow) => workflow.id} /></div>`}
    <${Pager} path="workflows" page=${loaded.data} stale=${loaded.loading && !rows.length} />`;
}

function Nothing() {
  if (FILTERS.some((key) => route.value.query.has(key))) {
    return html`<${Empty} icon="search" title="No workflow matches"><div class="actions"><a class="button" href="workflows">Show all workflows</a></div></${Empty}>`;
  }
  return html`<${Empty} icon="flow" title="No workflows yet"><p>A workflow is tasks that wait for one another: a chain, a group, or any graph. From a shell:</p><${Command} text=${EXAMPLE} /></${Empty}>`;
}

/** @param {Workflow} workflow */
function name({ id, name: called, queues, tags }) {
  return html`<a class="name" href=${workflowHref(id)}>${called ? html`<${Text} value=${called} />` : html`<code>${fmt.shortId(id)}</code>`}</a>
    <span class="sub block"><code title=${id}>${fmt.shortId(id)}</code> in ${queues.slice(0, 3).map((queue, index) => html`${index > 0 && ", "}<${Text} value=${queue} />`)}${queues.length > 3 && ` and ${queues.length - 3} more`}
      ${tags.map((tag) => html` <span key=${tag} class="tag"><${Text} value=${tag} /></span>`)}</span>`;
}
