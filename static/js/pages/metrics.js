// Metrics: what has happened over five minutes, an hour or a day, of all queues or of one. The same on every node.
import { go, href, route } from "../router.js";
import { useLive } from "../store.js";
import { Charts } from "../ui/charts.js";
import { html } from "../../vendor/preact.js";

export function Metrics() {
  const { query } = route.value;
  const queue = query.get("queue") ?? "";
  const queues = useLive("/queues", { topics: ["queues"], every: 30_000 });
  /** @type {string[]} */
  const names = (queues.data?.data ?? []).map((/** @type {Queue} */ each) => each.name);
  return html`<header class="head"><div><h1>Metrics</h1><p class="muted">Kept by the minute for a day and by the hour for 90 days, the same on every node.</p></div>
      <label class="inline">Queue <select value=${queue} onChange=${(/** @type {any} */ event) => go(href("metrics", query, { queue: event.target.value }))}>
        <option value="">All queues</option>${(names.includes(queue) || !queue ? names : [queue, ...names]).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label></header>
    <${Charts} path="metrics" queue=${queue || undefined} />`;
}
