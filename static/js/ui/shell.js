// What surrounds every page: navigation, connection, theme, help.
import { Count, Text } from "./bits.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";
import { helpShown, KEYS } from "./keyboard.js";
import { setShortcuts, setZone, shortcuts, zone } from "./settings.js";
import { ThemeSwitch } from "./theme-switch.js";
import { Toasts } from "./toast.js";
import { BASE, route } from "../router.js";
import { logout, may, session } from "../session.js";
import { connection, health, paused, stats } from "../store.js";
import { html, useEffect, useRef } from "../../vendor/preact.js";

/** @type {[string, string, string[]][]} */
const LINKS = [
  [BASE, "Overview", ["overview"]], ["tasks", "Tasks", ["tasks", "task"]], ["workflows", "Workflows", ["workflows", "workflow"]], ["schedules", "Schedules", ["schedules", "schedule", "new-schedule"]], ["queues", "Queues", ["queues", "queue"]],
  ["dead-letters", "Dead letters", ["dead-letters"]], ["workers", "Workers", ["workers"]], ["metrics", "Metrics", ["metrics"]], ["actors", "Actors", ["actors"]],
];

/** @type {string[]} */
const ZONES = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [];

/** @type {Record<string, [string, string]>} */
const CONNECTION = {
  live: ["Live", "Changes show within a second. Click to pause."],
  polling: ["Polling", "The event stream isn't available, so the page asks every few seconds. Click to pause."],
  connecting: ["Connecting", "Opening the event stream. Click to pause."],
  paused: ["Paused", "Nothing is re-fetched. Click to go on."],
  offline: ["Offline", "The server doesn't answer. Trying again every few seconds."],
};

/** @param {{ children: unknown }} props */
export function Shell({ children }) {
  const nav = useRef(/** @type {HTMLElement | null} */ (null));
  const { page } = route.value;
  // On narrow screens the bar scrolls: the page one is on is not left outside.
  useEffect(() => nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [page]);
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="bar-top">
      <a class="brand" href=${BASE}><${Icon} name="logo" />jobqueue</a><${Environment} />
      <nav aria-label="Main" ref=${nav}>${LINKS.map(([href, label, pages]) => html`<a href=${href} key=${href} aria-current=${pages.includes(page) ? "page" : undefined}>
        ${label}${href === "dead-letters" && stats.value?.dead_letters ? html`<span class="badge"><${Count} value=${stats.value.dead_letters} /></span>` : ""}</a>`)}</nav>
      <div class="tools">
        ${may("submit") && html`<a class="button primary" href="new" aria-label="New task" aria-current=${route.value.page === "new" ? "page" : undefined}><${Icon} name="plus" /><span>New task</span></a>`}
        <${User} />
        <${Connection} /><${ThemeSwitch} />
        <button class="ghost" aria-label="Help and settings" title="Help and settings (?)" onClick=${() => { helpShown.value = true; }}><${Icon} name="help" /></button>
      </div>
    </header>
    ${connection.value === "offline" && html`<div class="offline" role="status"><${Icon} name="warn" />The server doesn't answer. What you see is what was last loaded; trying again.</div>`}
    <main id="main" tabindex="-1">${children}</main>
    <${Toasts} /><${Dialog} /><${Help} />`;
}

/** Whose key it is, where keys are asked for. */
function User() {
  const { auth, name, queues } = session.value ?? { auth: false, name: "", queues: [] };
  if (!auth) return null;
  const reach = queues.includes("*") ? "every queue" : `the queues ${queues.join(", ")}`;
  return html`${!may("operate") && html`<span class="tag" title=${`The key ${name} may not cancel, retry or change anything`}>Read-only</span>`}
    <button class="ghost" title=${`Logged in with the key ${name}, good for ${reach}`} onClick=${logout}>Log out</button>`;
}

/** Which installation this is: what is done here is done there. */
function Environment() {
  const environment = health.value?.environment;
  return environment && html`<span class=${`environment env-${environment.color}`}><${Text} value=${environment.name} /></span>`;
}

function Connection() {
  const [word, title] = CONNECTION[connection.value];
  return html`<button class=${`connection is-${connection.value}`} title=${title} aria-pressed=${paused.value} onClick=${() => { paused.value = !paused.value; }}>
    <i></i><span>${word}</span>
  </button>`;
}

function Help() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => { if (helpShown.value) dialog.current?.showModal(); }, [helpShown.value]);
  return html`<dialog ref=${dialog} aria-labelledby="help-title" onClose=${() => { helpShown.value = false; }}>
    <h2 id="help-title">Keyboard</h2>
    <dl class="keys">${KEYS.map(([key, what]) => html`<div><dt>${keys(key)}</dt><dd>${what}</dd></div>`)}</dl>
    <h2>Settings</h2>
    <div class="field"><label for="field-zone">Times are shown in</label>
      <select id="field-zone" value=${zone.value} onChange=${(/** @type {any} */ event) => setZone(event.target.value)}>
        ${[...new Set(["local", "UTC", zone.value, ...ZONES])].map((each) => html`<option key=${each} value=${each}>${each === "local" ? "the zone of this browser" : each}</option>`)}</select></div>
    <label class="check"><input type="checkbox" checked=${shortcuts.value} onChange=${(/** @type {any} */ event) => setShortcuts(event.target.checked)} />Single-key shortcuts are on</label>
    <p class="muted">jobqueue ${health.value?.version ?? ""} · <a href="about" onClick=${() => dialog.current?.close()}>About</a> · <a href="/docs" target="_blank" rel="noreferrer">API reference</a></p>
    <div class="actions"><button class="primary" onClick=${() => dialog.current?.close()}>Close</button></div>
  </dialog>`;
}

/** "g then o" with its keys as keys. @param {string} text */
function keys(text) {
  return text.split(" ").filter(Boolean).map((each) => (each === "then" ? " then " : html`<kbd>${each}</kbd>`));
}

/** A fragment link would be resolved against <base>. @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
