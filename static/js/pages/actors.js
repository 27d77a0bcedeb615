// The supervision tree: which parts of the server run, restart, or are parked.
import { useLive } from "../store.js";
import { Ago, Empty, ErrorNote, Pill, placeholder, Since, Text } from "../ui/bits.js";
import { Icon } from "../ui/icon.js";
import { Table } from "../ui/table.js";
import { html } from "../../vendor/preact.js";

/** @type {import("../ui/table.js").Column[]} */
const COLUMNS = [
  { label: "Actor", main: true, cell: name },
  { label: "State", cell: (/** @type {Actor} */ actor) => html`<${Pill} status=${actor.state} title=${actor.path} />` },
  { label: "Restarts", num: true, cell: (/** @type {Actor} */ actor) => number(actor.restarts) },
  { label: "Mailbox", num: true, cell: (/** @type {Actor} */ actor) => number(actor.mailbox) },
  { label: "Up", num: true, cell: (/** @type {Actor} */ actor) => (actor.state === "running" ? html`<${Since} at=${actor.started_at} />` : html`<span class="none">–</span>`) },
  { label: "Last panic", cell: panic },
];

export function Actors() {
  const loaded = useLive("/system/actors", { every: 3_000 });
  /** @type {Actor[]} */
  const rows = loaded.data?.data ?? [];
  const guides = guidesOf(rows);
  const troubled = rows.filter((actor) => actor.state === "restarting" || actor.state === "parked").length;
  return html`<header class="head"><div><h1>Actors</h1><p class="muted">The supervision tree. An actor that panics is restarted by the one above it; one that panics too often is parked.</p></div>
      ${rows.length > 0 && html`<p class="muted">${rows.length} actors, ${troubled ? `${troubled} in trouble` : "none in trouble"}</p>`}</header>
    ${rows.length > 0 && loaded.error && html`<${ErrorNote} error=${loaded.error} stale />`}
    ${placeholder(loaded, html`<${Empty} title="No actors"><p>The server reports none.</p></${Empty}>`)
      ?? html`<div class="actors"><${Table} label="Actors" columns=${COLUMNS} rows=${rows.map((actor, index) => ({ ...actor, guides: guides[index] }))} id=${(/** @type {Actor} */ actor) => actor.path} /></div>`}`;
}

/** @param {Actor} actor */
function depthOf(actor) {
  return actor.path.split("/").length - 1;
}

/** Of each row, for each level down to its own: whether that level goes on below it. @param {Actor[]} rows @returns {boolean[][]} */
export function guidesOf(rows) {
  /** @type {boolean[]} */
  const open = [];
  const guides = [...rows].reverse().map((actor) => {
    const depth = depthOf(actor);
    const levels = Array.from({ length: depth }, (_, level) => open[level + 1] ?? false);
    open.length = depth + 1;
    open[depth] = true;
    return levels;
  });
  return guides.reverse();
}

/** @param {Actor & { guides: boolean[] }} actor */
function name(actor) {
  const depth = depthOf(actor);
  return html`<span class="tree" style=${{ "--depth": depth }} title=${actor.path}>
    ${actor.guides.map((goesOn, level) => html`<span aria-hidden="true" style=${{ "--level": level }}
      class=${`twig${goesOn ? " goes-on" : ""}${level === depth - 1 ? " elbow" : ""}`}></span>`)}<span class="name"><${Text} value=${actor.name} /></span>
    <span class="sub">${actor.kind}${actor.strategy ? ` · ${actor.strategy.replaceAll("_", " ")}` : ""}</span>
  </span>`;
}

/** @param {Actor} actor */
function panic({ last_panic }) {
  return last_panic
    ? html`<span class="line late"><${Icon} name="warn" /><span class="clamp" title=${last_panic.message}><${Text} value=${last_panic.message} /></span></span>
      <span class="sub"><${Ago} at=${last_panic.at} /></span>`
    : html`<span class="none">–</span>`;
}

/** @param {number} value */
function number(value) {
  return value ? html`<b>${value}</b>` : html`<span class="muted">0</span>`;
}
