// Dead letters: what gave up, why, and trying it again.
import { retryDead } from "../actions.js";
import { taskHref, tasksWith } from "../filter.js";
import { href, route } from "../router.js";
import { may } from "../session.js";
import { useLive } from "../store.js";
import { Ago, Empty, ErrorNote, Pill, placeholder, Text } from "../ui/bits.js";
import { Icon } from "../ui/icon.js";
import { Pager } from "../ui/pager.js";
import { Table } from "../ui/table.js";
import { html } from "../../vendor/preact.js";

/** @type {Record<DeadLetter["reason"], string>} */
const REASONS = {
  exhausted: "Every attempt failed",
  timeout: "It ran longer than its timeout allows",
  expired: "It expires before another attempt could start",
  poison: "It crashed its worker again and again",
  not_retryable: "Its handler said that trying again is no use",
};

/** @type {import("../ui/table.js").Column[]} */
const COLUMNS = [
  { label: "Task", main: true, cell: task },
  { label: "Error", cell: error },
  { label: "Reason", cell: (/** @type {DeadLetter} */ letter) => html`<${Pill} status=${letter.reason} title=${REASONS[letter.reason]} />` },
  { label: "Attempts", num: true, cell: (/** @type {DeadLetter} */ letter) => letter.attempts },
  { label: "Died", num: true, cell: (/** @type {DeadLetter} */ letter) => html`<${Ago} at=${letter.died_at} />` },
  { label: "Actions", act: true, cell: retry },
];

export function DeadLetters() {
  const cursor = route.value.query.get("cursor");
  const query = href("/dlq", new URLSearchParams({ limit: "50" }), { cursor });
  const loaded = useLive(query, { topics: ["tasks"], every: 10_000 });
  const rows = loaded.data?.data ?? [];
  return html`<header class="head"><div><h1>Dead letters</h1><p class="muted">Tasks that gave up. Each can be retried once its cause is mended.</p></div></header>
    ${rows.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    ${placeholder(loaded, html`<${Empty} icon="success" title="No dead letters"><p>Every task that failed has attempts left, or was dealt with.</p></${Empty}>`)
      ?? html`<div class="dead"><${Table} label="Dead letters" columns=${COLUMNS} rows=${rows} id=${(/** @type {DeadLetter} */ letter) => letter.task_id} /></div>`}
    <${Pager} path="dead-letters" page=${loaded.data} stale=${loaded.loading && !rows.length} />`;
}

/** @param {DeadLetter} letter */
function task(letter) {
  return html`<a class="name" title=${letter.name} href=${taskHref(letter.task_id)}><${Text} value=${letter.name} /></a>
    <span class="sub"><a href=${tasksWith("queue", letter.queue)}><${Text} value=${letter.queue} /></a></span>`;
}

/** @param {DeadLetter} letter */
function retry({ name, task_id }) {
  if (!may("operate")) return html`<span class="none">–</span>`;
  return html`<button aria-label=${`Retry ${name}`} onClick=${() => retryDead(task_id)}><${Icon} name="retry" />Retry</button>`;
}

/** @param {DeadLetter} letter */
function error({ error: what }) {
  return what ? html`<div class="clamp" title=${what.message}><span class="tag"><${Text} value=${what.kind} /></span> <${Text} value=${what.message} /></div>` : html`<span class="none">–</span>`;
}
