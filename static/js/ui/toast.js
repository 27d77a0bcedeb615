// Toasts say what happened. Successes leave by themselves; failures stay until read and closed.
import { Icon } from "./icon.js";
import { html, signal } from "../../vendor/preact.js";

const SHOWN_MS = 6_000;
const MOST = 4;

/** @typedef {{ id: number, text: string, level: "ok" | "bad" }} Toast */
/** @type {import("../../vendor/preact.js").Signal<Toast[]>} */
const toasts = signal([]);
let last = 0;

/** @param {string} text @param {"ok" | "bad"} [level] */
export function toast(text, level = "ok") {
  last += 1;
  const id = last;
  toasts.value = [...toasts.value, { id, text, level }].slice(-MOST);
  if (level === "ok") setTimeout(() => dismiss(id), SHOWN_MS);
}

/** The region is always there, so that screen readers announce what enters it. */
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(({ id, text, level }) => html`<div key=${id} class=${`toast is-${level}`}>
      <${Icon} name=${level === "ok" ? "success" : "warn"} /><span>${text}</span>
      <button class="ghost" aria-label="Dismiss" onClick=${() => dismiss(id)}><${Icon} name="close" /></button>
    </div>`)}
  </div>`;
}

/** @param {number} id */
function dismiss(id) {
  toasts.value = toasts.value.filter((each) => each.id !== id);
}
