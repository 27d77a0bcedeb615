// A JSON payload as it was sent, indented and coloured. Only ever text nodes.
import { Copy } from "./copy.js";
import { pretty, visible } from "../json.js";
import { html } from "../../vendor/preact.js";

const COLOURED_MOST = 60_000;
const SHOWN_MOST = 400_000;

/** @param {{ text: string, label: string }} props */
export function Json({ text, label }) {
  return html`<div class="json">
    <${Copy} text=${text} label=${`Copy ${label}`} />
    <pre tabindex="0" role="group" aria-label=${label}>${text.length > COLOURED_MOST ? plain(text) : coloured(text)}</pre>
  </div>`;
}

/** @param {string} text */
function coloured(text) {
  try {
    return pretty(text).map(({ kind, text: part }) => (kind === "mark" ? part : html`<span class=${`j-${kind}`}>${part}</span>`));
  } catch {
    return visible(text);
  }
}

/** A payload too long to lay out part by part. @param {string} text */
function plain(text) {
  return text.length > SHOWN_MOST ? `${visible(text.slice(0, SHOWN_MOST))}\n… ${text.length - SHOWN_MOST} more characters; copy to see all` : visible(text);
}
