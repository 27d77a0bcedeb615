// What went wrong: kind, message, and the detail (a stack, the end of a log) as it came.
import { Text } from "./bits.js";
import { Copy } from "./copy.js";
import * as fmt from "../fmt.js";
import { html } from "../../vendor/preact.js";

/** `folded`: the detail shows on request. @param {{ error: TaskError, folded?: boolean }} props */
export function ErrorView({ error, folded = false }) {
  const detail = typeof error.detail === "string" ? error.detail : error.detail ? JSON.stringify(error.detail, null, 2) : "";
  const block = html`<div class="json"><${Copy} text=${detail} label="Copy the error's detail" /><pre tabindex="0" role="group" aria-label="Error detail">${fmt.untrusted(detail)}</pre></div>`;
  return html`<div class="error-view">
    <p><span class="tag"><${Text} value=${error.kind} /></span> <span class="message"><${Text} value=${error.message} /></span></p>
    ${detail && (folded ? html`<details><summary>Detail</summary>${block}</details>` : block)}
  </div>`;
}
