// About: which version this is, what it stands on, and what may be relied upon.
import { health, now } from "../store.js";
import { Facts, Pill } from "../ui/bits.js";
import { zone } from "../ui/settings.js";
import { html } from "../../vendor/preact.js";

/** @type {[string, string][]} */
const GUARANTEES = [
  ["What is accepted is not lost", "A submission is answered after it is on the disk. A task runs at least once, whatever process dies."],
  ["One at a time", "A task is held under a lease. What comes in late from a worker that lost its lease is dropped."],
  ["The store decides", "Redis only says which task may be ready. Without it everything goes on, a little slower."],
  ["A crash is charged to its cause", "A task that brings its worker down again and again becomes a dead letter; its neighbours lose no attempt."],
  ["Nothing goes out", "This page asks nobody but this server, and runs no script that is not the server's own."],
];

export function About() {
  const seen = health.value;
  return html`<header class="head"><div><h1>About jobqueue</h1><p class="muted">A distributed job queue in one program.</p></div></header>
    <div class="detail"><aside><h2>This server</h2>
      ${seen ? html`<${Facts} facts=${[
        ["Version", seen.version],
        ["Environment", seen.environment?.name],
        ["Health", html`<${Pill} status=${seen.status} />`],
        ["Store", seen.store && `${seen.store.kind}, ${seen.store.status}`],
        ["Broker", seen.broker && `${seen.broker.kind.replaceAll("_", " ")}, ${seen.broker.status}`],
        ["Time here", html`<time>${new Date(now.value).toLocaleString(undefined, { timeZone: zone.value === "local" ? undefined : zone.value })}</time>`],
      ]} />` : html`<p class="muted">The server has not said yet.</p>`}</aside>
      <section><h2>What may be relied upon</h2><dl class="guarantees">${GUARANTEES.map(([what, how]) => html`<div key=${what}><dt>${what}</dt><dd class="muted">${how}</dd></div>`)}</dl>
        <h2>More</h2><ul class="plain"><li><a href="/docs" target="_blank" rel="noreferrer">Reference of the API</a>, which can be tried out there</li>
          <li><a href="/openapi.json" target="_blank" rel="noreferrer">openapi.json</a>, the same for programs</li>
          <li><a href="/metrics" target="_blank" rel="noreferrer">/metrics</a> for Prometheus</li><li><a href="/health" target="_blank" rel="noreferrer">/health</a>, <a href="/readyz" target="_blank" rel="noreferrer">/readyz</a> for probes</li>
          <li><a href="vendor/LICENSES" target="_blank" rel="noreferrer">Licences</a> of what this page is made of</li></ul></section></div>`;
}
