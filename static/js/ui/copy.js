// Copying to the clipboard, also on plain HTTP, where browsers have no clipboard API.
import { Icon } from "./icon.js";
import { toast } from "./toast.js";
import { html } from "../../vendor/preact.js";

/** @param {{ text: string | (() => string), label: string, children?: unknown }} props */
export function Copy({ text, label, children }) {
  const run = async () => {
    const copied = await copy(typeof text === "function" ? text() : text);
    toast(copied ? "Copied." : "The browser didn't allow copying.", copied ? "ok" : "bad");
  };
  return html`<button type="button" class=${children ? "" : "ghost"} aria-label=${children ? undefined : label} title=${label} onClick=${run}>
    <${Icon} name="copy" />${children}
  </button>`;
}

/** A command line with a button that copies it. @param {{ text: string }} props */
export function Command({ text }) {
  return html`<div class="command"><pre tabindex="0" role="group" aria-label="Command">${text}</pre><${Copy} text=${text} label="Copy the command" /></div>`;
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
