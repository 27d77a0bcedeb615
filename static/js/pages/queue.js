// One queue: what waits in it, what is set for it, and how tasks share it by their keys, which can be changed here.
import { saveSharing } from "../actions.js";
import { tasksWith } from "../filter.js";
import * as fmt from "../fmt.js";
import { route } from "../router.js";
import { may } from "../session.js";
import { textOf } from "../sharing.js";
import { useLive } from "../store.js";
import { Count, Empty, ErrorNote, Pill, Text } from "../ui/bits.js";
import { Field } from "../ui/field.js";
import { Icon } from "../ui/icon.js";
import { html, useEffect, useSignal } from "../../vendor/preact.js";

/** @typedef {import("../sharing.js").Sharing} Sharing */

export function QueuePage() {
  const name = route.value.query.get("name") ?? "";
  const loaded = useLive(`/queues/${encodeURIComponent(name)}`, { topics: ["queues", "tasks"], every: 5_000 });
  /** @type {Queue | null} */
  const queue = loaded.data;
  const back = html`<p class="crumbs"><a href="queues"><${Icon} name="newer" />Queues</a></p>`;
  if (!queue && loaded.error?.status === 404) return html`${back}<h1 class="sr">Queue</h1><${Empty} icon="search" title="There is no such queue" />`;
  if (!queue) return html`${back}<h1 class="sr">Queue</h1>${loaded.error ? html`<${ErrorNote} error=${loaded.error} />` : html`<div class="skeleton"><i></i><i></i><i></i></div>`}`;
  return html`${back}${loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    <header class="head"><div><h1><${Text} value=${queue.name} /></h1>
      ${queue.paused && html`<p class="line"><${Pill} status="paused" title="Nothing in it starts until it is resumed" /></p>`}</div></header>
    <div class="detail">
      <aside><h2>Details</h2><${Facts} queue=${queue} /></aside>
      <section><h2>Sharing</h2>
        <p class="muted">Tasks of different fair keys take turns. Each rate key has a limit for itself, and of each concurrency key only so many run at a time.</p>
        ${may("operate") ? html`<${Edit} queue=${queue} />` : html`<${Shared} queue=${queue} />`}</section>
    </div>`;
}

/** @param {{ facts: [string, unknown][] }} props */
function List({ facts }) {
  return html`<dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** @param {{ queue: Queue }} props */
function Facts({ queue }) {
  return html`<${List} facts=${[
    ["Waiting", html`<a href=${tasksWith("queue", queue.name)}><${Count} value=${queue.total_queued} /></a>`],
    ["Running", html`<${Count} value=${queue.status_counts.running} />`],
    ["Oldest ready", queue.oldest_ready_s !== null && fmt.duration(queue.oldest_ready_s * 1000)],
    ["Weight", String(queue.weight)],
    ["Rate limit", queue.rate_limit ?? "none"],
    ["Concurrency", queue.concurrency ?? "no cap"],
    ["At a cap", queue.at_cap === "reject" ? "submissions are refused" : "tasks wait"],
    ["Priority ageing", queue.ageing ? `a level each ${queue.ageing}` : "off, priorities are strict"],
    ["Max depth", queue.max_depth ?? "no cap"],
    ["Max age", queue.max_age ?? "none"],
  ]} />`;
}

/** For those who may not change it. @param {{ queue: Queue }} props */
function Shared({ queue }) {
  const { key_rate_limit, key_concurrency, fair_weights } = textOf(queue);
  return html`<${List} facts=${[
    ["Each rate key", key_rate_limit || "no limit"],
    ["Each concurrency key", key_concurrency ? `${key_concurrency} at a time` : "no cap"],
    ["Fair weights", fair_weights ? fair_weights.split("\n").map((each) => html`<div key=${each}><${Text} value=${each} /></div>`) : "all the same"],
  ]} />`;
}

/** What is typed stays, whatever becomes of the queue meanwhile: its version tells. @param {{ queue: Queue }} props */
function Edit({ queue }) {
  const typed = useSignal(/** @type {{ sharing: Sharing, from: Queue } | null} */ (null));
  const faults = useSignal(/** @type {import("../sharing.js").Faults} */ ({}));
  const saving = useSignal(false);
  const saved = useSignal(false);
  const { sharing, from } = typed.value ?? { sharing: textOf(queue), from: queue };
  const set = (/** @type {keyof Sharing} */ key) => (/** @type {any} */ event) => {
    typed.value = { sharing: { ...sharing, [key]: event.target.value }, from };
    faults.value = { ...faults.value, [key]: undefined, form: undefined };
  };
  const forget = () => { typed.value = null; faults.value = {}; saved.value = false; };
  // What was saved stays until it is what the queue shows.
  useEffect(() => { if (saved.value && queue.version !== from.version) forget(); }, [saved.value, queue.version]);
  const onSubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    saving.value = true;
    const found = await saveSharing(from, sharing);
    saving.value = false;
    if (found) faults.value = found;
    else saved.value = true;
  };
  const fields = { draft: sharing, faults: faults.value, set };
  return html`<form class="form" onSubmit=${onSubmit} novalidate>
    ${faults.value.form && html`<p class="note is-bad" role="alert">${faults.value.form}</p>`}
    <${Field} ...${fields} name="concurrency" label="Cap of the queue" hint="Most running at a time, over all nodes; empty is no cap" />
    <${Field} ...${fields} name="ageing" label="Priority ageing" hint="Tasks gain a level each time they have waited so long, such as 10m; empty is off" />
    <${Field} ...${fields} name="key_rate_limit" label="Limit of each rate key" hint="Starts in a time, such as 100/1m; empty is no limit" />
    <${Field} ...${fields} name="key_concurrency" label="Cap of each concurrency key" hint="Most running at a time; empty is no cap" />
    <${Field} ...${fields} name="fair_weights" label="Weights of fair keys" hint="How many start when it is their turn: KEY=N, one a line. Of keys not named it is one." lines=${4} />
    <div class="actions"><button class="primary" disabled=${saving.value || saved.value || !typed.value}>${saving.value ? "Saving…" : "Save"}</button>
      ${typed.value && !saved.value && html`<button type="button" onClick=${forget}>Discard</button>`}</div>
  </form>`;
}
