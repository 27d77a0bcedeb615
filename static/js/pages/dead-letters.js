// Dead letters: what gave up, why, and since when; trying it again, one or many.
import { deleteDead, retryDead } from "../actions/dead.js";
import { post, remove } from "../api.js";
import { filterOf, groupHref, groupsPath, isList, listPath, REASONS, WINDOWS } from "../dead.js";
import { taskHref, tasksWith } from "../filter.js";
import { go, href, route } from "../router.js";
import { may } from "../session.js";
import { useLive } from "../store.js";
import { Ago, Count, Empty, ErrorNote, Pill, placeholder, Text } from "../ui/bits.js";
import { confirmThen } from "../ui/confirm.js";
import { editAndRetry } from "../ui/edit-retry.js";
import { Icon } from "../ui/icon.js";
import { askMany } from "../ui/many.js";
import { Operations } from "../ui/operations.js";
import { Pager } from "../ui/pager.js";
import { Search } from "../ui/search.js";
import { Table } from "../ui/table.js";
import { html } from "../../vendor/preact.js";

/** @type {import("../ui/search.js").Kind} */
const SEARCH = { path: "dead-letters", label: "Search dead letters", keys: ["queue", "name", "reason"], rest: "error", set: ["cause", "window"] };

/** @type {import("../ui/table.js").Column[]} */
const LIST = [
  { label: "Task", main: true, cell: task },
  { label: "Error", cell: ({ error: what }) => error(what?.kind, what?.message) },
  { label: "Reason", cell: reason },
  { label: "Attempts", num: true, cell: (/** @type {DeadLetter} */ letter) => letter.attempts },
  { label: "Died", num: true, cell: (/** @type {DeadLetter} */ letter) => html`<${Ago} at=${letter.died_at} />` },
  { label: "Actions", act: true, cell: actions },
];

/** @type {import("../ui/table.js").Column[]} */
const GROUPS = [
  { label: "Task", main: true, cell: (/** @type {DeadGroup} */ group) => html`<a class="name" href=${groupHref(group, null)}><${Text} value=${group.name} /></a>
    <span class="sub"><a href=${tasksWith("queue", group.queue)}><${Text} value=${group.queue} /></a></span>` },
  { label: "Error", cell: (/** @type {DeadGroup} */ group) => error(undefined, group.error) },
  { label: "Reason", cell: reason },
  ...WINDOWS.map(([name], index) => ({ label: name, num: true, cell: (/** @type {DeadGroup} */ group) => cell(group, name, group.within[index]) })),
  { label: "All", num: true, cell: (/** @type {DeadGroup} */ group) => cell(group, null, group.count) },
  { label: "Last", num: true, cell: (/** @type {DeadGroup} */ group) => html`<${Ago} at=${group.last_at} />` },
];

export function DeadLetters() {
  const { query } = route.value;
  const list = isList(query);
  const to = (/** @type {string | null} */ view) => href("dead-letters", query, { view, cursor: null, ...(view ? {} : { reason: null, error: null, cause: null, window: null }) });
  return html`<header class="head"><div><h1>Dead letters</h1><p class="muted">Tasks that gave up. Each can be retried once its cause is mended.</p></div><${Actions} /></header>
    <${Operations} />
    <div class="with-switch"><${Search} kind=${SEARCH} />
      <nav class="switch" aria-label="View"><a href=${to(null)} aria-current=${list ? undefined : "true"}>By error</a><a href=${to("list")} aria-current=${list ? "true" : undefined}>One by one</a></nav></div>
    ${list ? html`<${List} key="list" />` : html`<${Groups} key="groups" />`}`;
}

function Groups() {
  const loaded = useLive(groupsPath(route.value.query), { topics: ["tasks"], every: 10_000 });
  const rows = loaded.data?.data ?? [];
  return html`${rows.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    ${placeholder(loaded, html`<${Nothing} />`) ?? html`<div class="dead-groups"><${Table} label="Dead letters by error and time" columns=${GROUPS} rows=${rows} id=${(/** @type {DeadGroup} */ group) => [group.queue, group.name, group.reason, group.error].join(" ")} /></div>`}`;
}

function List() {
  const { query } = route.value;
  const loaded = useLive(listPath(query), { topics: ["tasks"], every: 10_000 });
  const rows = loaded.data?.data ?? [];
  const chosen = query.get("window") ?? "";
  return html`<label class="inline">Died <select aria-label="Died within" value=${chosen} onChange=${(/** @type {any} */ event) => go(href("dead-letters", query, { window: event.target.value, cursor: null, view: "list" }))}>
      <option value="">at any time</option>${WINDOWS.map(([name]) => html`<option key=${name} value=${name}>within ${name}</option>`)}</select></label>
    ${rows.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    ${placeholder(loaded, html`<${Nothing} />`) ?? html`<div class=${loaded.loading ? "dead stale" : "dead"}><${Table} label="Dead letters" columns=${LIST} rows=${rows} id=${(/** @type {DeadLetter} */ letter) => letter.task_id} /></div>`}
    <${Pager} path="dead-letters" page=${loaded.data} stale=${loaded.loading && !rows.length} />`;
}

function Nothing() {
  const { filter } = filterOf(route.value.query, 0);
  return Object.keys(filter).length
    ? html`<${Empty} icon="search" title="No dead letter matches"><p>What was here may have been retried.</p><div class="actions"><a class="button" href="dead-letters">Show all dead letters</a></div></${Empty}>`
    : html`<${Empty} icon="success" title="No dead letters"><p>Every task that failed has attempts left, or was dealt with.</p></${Empty}>`;
}

/** What can be done to all that the filters leave. */
function Actions() {
  if (!may("operate")) return null;
  const { query } = route.value;
  const redrive = (/** @type {boolean} */ dry_run, /** @type {string} */ rate) => {
    const { filter, everything } = filterOf(query, Date.now());
    return post("/dlq/redrive", JSON.stringify({ filter, dry_run, ...(everything && { all: true }), ...(rate && !dry_run && { rate }) }));
  };
  const discard = (/** @type {boolean} */ dry) => {
    const { filter, everything } = filterOf(query, Date.now());
    return remove(`/dlq?${new URLSearchParams({ ...filter, ...(everything && { all: "true" }), ...(dry && { dry_run: "true" }) })}`);
  };
  const what = filterOf(query, 0).everything ? "all" : "these";
  return html`<div class="actions">
    <button onClick=${() => askMany({ word: ["Retry", "dead letter"], text: "They start anew, with all their attempts.", paced: true, send: redrive })}><${Icon} name="retry" />Retry ${what}…</button>
    <button class="danger" onClick=${() => askMany({ word: ["Delete", "dead letter"], text: "They and their tasks are gone for good.", paced: false, danger: true, send: discard })}><${Icon} name="trash" />Delete ${what}…</button>
  </div>`;
}

/** @param {DeadGroup} group @param {string | null} window @param {number} n */
function cell(group, window, n) {
  return n ? html`<a href=${groupHref(group, window)} aria-label=${`${n} of ${group.name} ${window ? `within ${window}` : "in all"}`}><${Count} value=${n} /></a>` : html`<span class="zero">0</span>`;
}

/** @param {DeadLetter} letter */
function task(letter) {
  return html`<a class="name" title=${letter.name} href=${taskHref(letter.task_id)}><${Text} value=${letter.name} /></a>
    <span class="sub"><a href=${tasksWith("queue", letter.queue)}><${Text} value=${letter.queue} /></a></span>`;
}

/** @param {DeadLetter | DeadGroup} row */
function reason({ reason: why }) {
  return html`<${Pill} status=${why} title=${REASONS[why]} />`;
}

/** @param {DeadLetter} letter */
function actions(letter) {
  if (!may("operate")) return html`<span class="none">–</span>`;
  const ask = () => confirmThen({ title: `Delete ${letter.name}?`, text: "The dead letter and its task are gone for good.", verb: "Delete it", run: () => deleteDead(letter.task_id) });
  return html`<span class="row-actions"><button aria-label=${`Retry ${letter.name}`} onClick=${() => retryDead(letter.task_id)}><${Icon} name="retry" />Retry</button>
    ${may("submit") && html`<button class="ghost" aria-label=${`Edit and retry ${letter.name}`} title="Edit and retry" onClick=${() => editAndRetry(letter)}><${Icon} name="edit" /></button>`}
    <button class="ghost" aria-label=${`Delete ${letter.name}`} title="Delete" onClick=${ask}><${Icon} name="trash" /></button></span>`;
}

/** @param {string | undefined} kind @param {string | undefined} message */
function error(kind, message) {
  return message ? html`<div class="clamp" title=${message}>${kind && html`<span class="tag"><${Text} value=${kind} /></span> `}<${Text} value=${message} /></div>` : html`<span class="none">–</span>`;
}
