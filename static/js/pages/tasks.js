// The task list: statuses in a rail, a search box, keyset pages, actions on what is selected.
import { actOnMany } from "../actions/tasks.js";
import { chips, tasksPath } from "../filter.js";
import * as fmt from "../fmt.js";
import { href, route } from "../router.js";
import { may } from "../session.js";
import { canCancel, canRetry } from "../status.js";
import { stats, useLive } from "../store.js";
import { Empty, ErrorNote, placeholder } from "../ui/bits.js";
import { confirmThen } from "../ui/confirm.js";
import { AllMatching } from "../ui/bulk.js";
import { FirstTask } from "../ui/first-task.js";
import { Icon } from "../ui/icon.js";
import { Operations } from "../ui/operations.js";
import { Pager } from "../ui/pager.js";
import { Rail } from "../ui/rail.js";
import { Search, TASKS } from "../ui/search.js";
import { TaskRow } from "../ui/task-row.js";
import { html, useEffect, useSignal } from "../../vendor/preact.js";

const LIMIT = 50;
/** Filters that are chips. */
const SHOWN = [...TASKS.keys, TASKS.rest, ...(TASKS.set ?? [])];

export function Tasks() {
  const { query } = route.value;
  const path = tasksPath(query, LIMIT);
  const selected = useSignal(/** @type {Set<string>} */ (new Set()));
  const loaded = useLive(path, {
    topics: ["tasks"], every: 15_000, group: query.get("status") ?? "", held: () => selected.value.size > 0,
  });
  useEffect(() => { selected.value = new Set(); }, [path]);
  /** @type {Task[]} */
  const rows = loaded.data?.data ?? [];
  const select = (/** @type {string[]} */ ids, /** @type {boolean} */ on) => {
    const next = new Set(selected.value);
    for (const id of ids) next[on ? "add" : "delete"](id);
    selected.value = next;
  };
  return html`<h1 class="sr">Tasks</h1>
    <div class="with-rail">
      <${Rail} counts=${counts(query)} />
      <div class="list">
        <${Search} />
        <${Operations} />
        ${rows.length > 0 && html`<${Toolbar} rows=${rows} selected=${selected.value} select=${select} />`}
        ${rows.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
        ${placeholder(loaded, html`<${Nothing} />`) ?? html`<ul class=${loaded.loading ? "tasks stale" : "tasks"} aria-busy=${loaded.loading}>
          ${rows.map((task) => html`<${TaskRow} key=${task.id} task=${task} selected=${selected.value.has(task.id)}
            onSelect=${(/** @type {boolean} */ on) => select([task.id], on)} />`)}
        </ul>`}
        <${Pager} path="tasks" page=${loaded.data} stale=${loaded.loading && !rows.length} />
      </div>
    </div>`;
}

/** Counters are kept per status only: with another filter set, a count beside a status would be of something else. @param {URLSearchParams} query */
function counts(query) {
  return chips(query, SHOWN).length ? null : stats.value?.status_counts ?? null;
}

/** @param {{ rows: Task[], selected: Set<string>, select: (ids: string[], on: boolean) => void }} props */
function Toolbar({ rows, selected, select }) {
  const chosen = rows.filter((task) => selected.has(task.id));
  const all = chosen.length === rows.length;
  const run = (/** @type {"cancel" | "retry" | "delete"} */ verb, /** @type {Task[]} */ tasks) => {
    const ids = tasks.map((task) => task.id);
    select([...selected], false);
    actOnMany(verb, ids);
  };
  const toCancel = chosen.filter((task) => canCancel(task.status));
  const toRetry = chosen.filter((task) => canRetry(task.status));
  const askCancel = () => confirmThen({
    title: `Cancel ${fmt.plural(toCancel.length, "task")}?`, verb: `Cancel ${fmt.plural(toCancel.length, "task")}`,
    text: "Those that wait are cancelled at once. Those that run are asked to stop.", run: () => run("cancel", toCancel),
  });
  const askDelete = () => confirmThen({
    title: `Delete ${fmt.plural(toRetry.length, "task")}?`, verb: `Delete ${fmt.plural(toRetry.length, "task")}`,
    text: "They are gone for good, with their results and attempts.", run: () => run("delete", toRetry),
  });
  return html`<div class="toolbar">
    <label class="check"><input type="checkbox" checked=${all} indeterminate=${chosen.length > 0 && !all}
      onChange=${() => select(rows.map((task) => task.id), !all)} />${chosen.length ? `${fmt.plural(chosen.length, "task")} selected` : "Select page"}</label>
    ${chosen.length > 0 && html`<span class="muted">Updates wait while rows are selected</span>
      <span class="actions">
        <button disabled=${!toRetry.length || !may("operate")} onClick=${() => run("retry", toRetry)}><${Icon} name="retry" />Retry ${toRetry.length || ""}</button>
        <button disabled=${!toCancel.length || !may("operate")} onClick=${askCancel}><${Icon} name="cancelled" />Cancel ${toCancel.length || ""}</button>
        <button class="danger" disabled=${!toRetry.length || !may("operate")} onClick=${askDelete}><${Icon} name="trash" />Delete ${toRetry.length || ""}</button>
        <button class="ghost" onClick=${() => select([...selected], false)}>Clear</button>
      </span>`}
    ${chosen.length === 0 && html`<span class="end"><${AllMatching} /></span>`}
  </div>`;
}

function Nothing() {
  const { query } = route.value;
  const filtered = chips(query, SHOWN).length > 0 || query.get("status");
  if (!filtered && !query.get("cursor")) return html`<${FirstTask} />`;
  const status = query.get("status");
  return html`<${Empty} icon=${status ?? "search"} title=${status && !chips(query, SHOWN).length ? `No task has the status ${status}` : "No task matches"}>
    <p>${chips(query, SHOWN).length ? "Take a filter away to see more." : "New ones show here as they come."}</p>
    <div class="actions"><a class="button" href=${href("tasks", new URLSearchParams())}>Show all tasks</a></div>
  </${Empty}>`;
}
