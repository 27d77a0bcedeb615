// Asks before what can't be undone, naming how much it concerns.
import { openDialog } from "./dialog.js";
import { html } from "../../vendor/preact.js";

/** @typedef {{ title: string, text: string, verb: string, run: () => void }} Question */

/** @param {Question} asked */
export function confirmThen(asked) {
  openDialog(Confirm, { asked });
}

/** @param {{ asked: Question, close: () => void }} props */
function Confirm({ asked, close }) {
  const yes = () => { close(); asked.run(); };
  return html`<h2 id="dialog-title">${asked.title}</h2>
    <p>${asked.text}</p>
    <div class="actions">
      <button type="button" onClick=${close}>Keep</button>
      <button type="button" class="danger" onClick=${yes}>${asked.verb}</button>
    </div>`;
}
