// Tabs whose choice is in the address. Arrow keys move between them.
import { go, href, route } from "../router.js";
import { html } from "../../vendor/preact.js";

/** @typedef {{ id: string, label: string, body: () => unknown }} Tab */

/** @param {{ tabs: Tab[], initial: string, path: string }} props */
export function Tabs({ tabs, initial, path }) {
  const { query } = route.value;
  const chosen = tabs.find((tab) => tab.id === query.get("tab")) ?? tabs.find((tab) => tab.id === initial) ?? tabs[0];
  const show = (/** @type {string} */ id) => go(href(path, query, { tab: id === initial ? null : id }), { replace: true });
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(chosen) + step + tabs.length) % tabs.length];
    show(next.id);
    document.getElementById(`tab-${next.id}`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Details" onKeyDown=${onKey}>
      ${tabs.map(({ id, label }) => html`<button key=${id} id=${`tab-${id}`} role="tab" aria-selected=${id === chosen.id} aria-controls="tab-panel"
        tabindex=${id === chosen.id ? 0 : -1} onClick=${() => show(id)}>${label}</button>`)}
    </div>
    <div id="tab-panel" role="tabpanel" aria-labelledby=${`tab-${chosen.id}`}>${chosen.body()}</div>`;
}
