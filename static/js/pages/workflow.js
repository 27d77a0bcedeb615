// One workflow: how far it is, its graph or its tasks as a table, stopping it, running again what failed.
import { cancelWorkflow, retryWorkflow } from "../actions/more.js";
import { taskHref } from "../filter.js";
import * as fmt from "../fmt.js";
import { tally } from "../graph.js";
import { members } from "../json.js";
import { go, href, route } from "../router.js";
import { may } from "../session.js";
import { now, useLive } from "../store.js";
import { Ago, Bar, Empty, ErrorNote, Facts, Pill, placeholder, Since, Text } from "../ui/bits.js";
import { confirmThen } from "../ui/confirm.js";
import { Copy } from "../ui/copy.js";
import { Graph } from "../ui/graph.js";
import { Icon } from "../ui/icon.js";
import { Json } from "../ui/json.js";
import { Table } from "../ui/table.js";
import { Tabs } from "../ui/tabs.js";
import { inWords, partsOf, STATES, workflowHref } from "../workflow.js";
import { html, useSignal } from "../../vendor/preact.js";

const BACK = html`<p class="crumbs"><a href="workflows"><${Icon} name="newer" />Workflows</a></p>`;
/** Rows of the table shown at a time. */
const PAGE = 100;

/** @param {{ id: string }} props */
export function WorkflowPage({ id }) {
  const path = `/workflows/${encodeURIComponent(id)}`;
  const loaded = useLive(path, { topics: ["tasks"], every: 5_000 });
  const graph = useLive(`${path}/graph`, { topics: ["tasks"], every: 10_000 });
  /** @type {WorkflowDetail | null} */
  const workflow = loaded.data;
  if (!workflow && loaded.error?.status === 404) return html`${BACK}<h1 class="sr">Workflow</h1><${Empty} icon="search" title="There is no such workflow"><p>Its time in the history may be over: <code>${id}</code></p></${Empty}>`;
  if (!workflow) return html`${BACK}<h1 class="sr">Workflow</h1>${loaded.error ? html`<${ErrorNote} error=${loaded.error} />` : html`<div class="skeleton"><i></i><i></i><i></i></div>`}`;
  const listHref = (/** @type {Status | null} */ status, /** @type {string | null} */ name) => href(workflowHref(id), new URLSearchParams(), { tab: "tasks", status, name });
  const shown = (/** @type {(graph: WorkflowGraph) => unknown} */ view) => () => (graph.data ? view(graph.data) : placeholder(graph, null));
  const meta = members(loaded.text).get("meta") ?? "null";
  const tabs = [
    { id: "graph", label: "Graph", body: shown((data) => html`<${Graph} graph=${data} listHref=${listHref} />`) },
    { id: "tasks", label: `Tasks ${fmt.exact(workflow.progress.total)}`, body: shown((data) => html`<${Nodes} graph=${data} path=${workflowHref(id)} />`) },
    ...(meta === "null" ? [] : [{ id: "meta", label: "Meta", body: () => html`<${Json} text=${meta} label="meta" />` }]),
  ];
  return html`${BACK}${loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    <${Header} workflow=${workflow} />
    <${Bar} parts=${partsOf(workflow.progress)} total=${workflow.progress.total} />
    <${About} workflow=${workflow} />
    <${Tabs} path=${workflowHref(id)} tabs=${tabs} initial="graph" />`;
}

/** @param {{ workflow: WorkflowDetail }} props */
function Header({ workflow }) {
  const { id, name, state, progress } = workflow;
  const over = state !== "running";
  const ask = () => confirmThen({
    title: `Cancel ${name ?? "this workflow"}?`, verb: `Cancel ${fmt.plural(progress.open, "task")}`,
    text: "Its tasks that wait are cancelled at once and together, those that run are asked to stop. Its callbacks are not cancelled.", run: () => cancelWorkflow(id),
  });
  return html`<header class="head"><div><h1>${name ? html`<${Text} value=${name} />` : "Workflow"}</h1>
      <p class="line"><${Pill} status=${state} title=${STATES[state]} /><span>${inWords(progress)}</span><span class="id"><code>${id}</code><${Copy} text=${id} label="Copy the id" /></span></p></div>
    ${may("operate") && html`<div class="actions">
      ${over && state !== "success" && html`<button onClick=${() => retryWorkflow(id)}><${Icon} name="retry" />Retry what failed</button>`}
      ${!over && html`<button onClick=${ask}><${Icon} name="cancelled" />Cancel</button>`}</div>`}</header>`;
}

/** @param {{ workflow: WorkflowDetail }} props */
function About({ workflow: { created_at, finished_at, duration_ms, queues, tags, callbacks } }) {
  const callback = (/** @type {{ id: string, status: Status | null } | null} */ one) => one && html`<a href=${taskHref(one.id)}>${one.status ? html`<${Pill} status=${one.status} />` : "deleted"}</a>`;
  return html`<div class="facts-row"><${Facts} facts=${[
    ["Created", html`<${Ago} at=${created_at} />`],
    [finished_at ? "Took" : "Running for", duration_ms === null ? html`<${Since} at=${created_at} />` : fmt.duration(duration_ms)],
    ["Finished", finished_at && html`<${Ago} at=${finished_at} />`],
    ["Queues", queues.map((queue, index) => html`${index > 0 && ", "}<a href=${href("queue", new URLSearchParams(), { name: queue })}><${Text} value=${queue} /></a>`)],
    ["Tags", tags.length > 0 && tags.map((tag) => html`<span key=${tag} class="tag"><${Text} value=${tag} /></span> `)],
    ["On success", callback(callbacks.on_success)],
    ["On failure", callback(callbacks.on_failure)],
  ]} /></div>`;
}

/** @type {import("../ui/table.js").Column[]} */
const COLUMNS = [
  { label: "Node", main: true, cell: (/** @type {GraphNode} */ node) => html`<a class="name" href=${taskHref(node.id)}><${Text} value=${node.node} /></a>` },
  { label: "Status", cell: (/** @type {GraphNode} */ node) => (node.status ? html`<${Pill} status=${node.status} />` : html`<span class="none">–</span>`) },
  { label: "Task", cell: (/** @type {GraphNode} */ node) => html`<span class="line">${node.name ? html`<${Text} value=${node.name} />` : "deleted"}</span>` },
  { label: "Queue", cell: (/** @type {GraphNode} */ node) => (node.queue ? html`<${Text} value=${node.queue} />` : html`<span class="none">–</span>`) },
  { label: "Ran", num: true, cell: ran },
];

/** @param {{ graph: WorkflowGraph, path: string }} props */
function Nodes({ graph, path }) {
  const { query } = route.value;
  const most = useSignal(PAGE);
  const [status, name] = [query.get("status"), query.get("name")];
  const wanted = graph.nodes.filter((node) => (!status || node.status === status) && (!name || node.name === name));
  const to = (/** @type {string | null} */ next) => href(path, query, { tab: "tasks", status: next });
  return html`<div class="toolbar"><select class="narrow" aria-label="Status" value=${status ?? ""} onChange=${(/** @type {any} */ event) => go(to(event.target.value), { replace: true })}>
      <option value="">All statuses (${graph.nodes.length})</option>${tally(graph.nodes).map(([each, n]) => html`<option key=${each} value=${each}>${each} (${n})</option>`)}</select>
      ${name && html`<span class="chip"><b>task:</b> <${Text} value=${name} /><button aria-label="Remove the filter" onClick=${() => go(href(path, query, { name: null }), { replace: true })}><${Icon} name="close" /></button></span>`}
      <span class="muted">${fmt.plural(wanted.length, "task")}</span></div>
    <div class="nodes"><${Table} label="Tasks of the workflow" columns=${COLUMNS} rows=${wanted.slice(0, most.value)} id=${(/** @type {GraphNode} */ node) => node.node} /></div>
    ${wanted.length > most.value && html`<div class="pager"><button onClick=${() => { most.value += PAGE; }}>Show ${Math.min(PAGE, wanted.length - most.value)} more of ${fmt.exact(wanted.length)}</button></div>`}`;
}

/** @param {GraphNode} node */
function ran({ started_at, finished_at }) {
  if (!started_at) return html`<span class="none">–</span>`;
  return fmt.duration((finished_at ? Date.parse(finished_at) : now.value) - Date.parse(started_at));
}
