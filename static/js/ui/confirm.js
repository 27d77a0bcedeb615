// Asks before what can't be undone, naming how much it concerns.
import { html, signal, useEffect, useRef } from "../../vendor/preact.js";

/** @typedef {{ title: string, text: string, verb: string, run: () => void }} Question */
/** @type {import("../../vendor/preact.js").Signal<Question | null>} */
const question = signal(null);

/** @param {Question} asked */
export function confirmThen(asked) {
  question.value = asked;
}

export function Confirm() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const asked = question.value;
  useEffect(() => { if (asked) dialog.current?.showModal(); }, [asked]);
  const answer = (/** @type {boolean} */ yes) => {
    dialog.current?.close();
    if (yes) asked?.run();
  };
  return html`<dialog ref=${dialog} aria-labelledby="confirm-title" onClose=${() => { question.value = null; }}>
    <h2 id="confirm-title">${asked?.title}</h2>
    <p>${asked?.text}</p>
    <div class="actions">
      <button type="button" onClick=${() => answer(false)}>Keep</button>
      <button type="button" class="danger" onClick=${() => answer(true)}>${asked?.verb}</button>
    </div>
  </dialog>`;
}
