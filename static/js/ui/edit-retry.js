// A dead letter's arguments, changed before it is tried again. What is not touched is sent as it was, number for number.
import { retryDeadWith } from "../actions/dead.js";
import { ApiError, get } from "../api.js";
import { members, prettyText } from "../json.js";
import { ErrorNote } from "./bits.js";
import { openDialog } from "./dialog.js";
import { Field } from "./field.js";
import { html, useEffect, useSignal } from "../../vendor/preact.js";

/** @typedef {{ args: string, kwargs: string }} Draft */

/** @param {{ task_id: string, name: string }} letter */
export function editAndRetry(letter) {
  openDialog(Edit, { id: letter.task_id, name: letter.name });
}

/** @param {{ id: string, name: string, close: () => void }} props */
function Edit({ id, name, close }) {
  const draft = useSignal(/** @type {Draft | null} */ (null));
  const failed = useSignal(/** @type {ApiError | null} */ (null));
  const faults = useSignal(/** @type {Record<string, string | undefined>} */ ({}));
  const sending = useSignal(false);
  useEffect(() => {
    get(`/tasks/${encodeURIComponent(id)}`).then(({ text }) => {
      const parts = members(text);
      draft.value = { args: prettyText(parts.get("args") ?? "[]"), kwargs: prettyText(parts.get("kwargs") ?? "{}") };
    }, (error) => { failed.value = error; });
  }, []);
  const set = (/** @type {keyof Draft} */ key) => (/** @type {any} */ event) => {
    if (draft.value) draft.value = { ...draft.value, [key]: event.target.value };
    faults.value = { ...faults.value, [key]: undefined, form: undefined };
  };
  const onSubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!draft.value) return;
    sending.value = true;
    const found = await retryDeadWith(id, draft.value);
    sending.value = false;
    if (found) faults.value = found;
    else close();
  };
  return html`<form class="wide form" onSubmit=${onSubmit} novalidate>
    <h2 id="dialog-title">Edit and retry ${name}</h2>
    ${failed.value && html`<${ErrorNote} error=${failed.value} />`}
    ${faults.value.form && html`<p class="note is-bad" role="alert">${faults.value.form}</p>`}
    ${draft.value && html`<${Field} draft=${draft.value} faults=${faults.value} set=${set} name="args" label="Arguments" hint="A JSON list" lines=${6} />
      <${Field} draft=${draft.value} faults=${faults.value} set=${set} name="kwargs" label="Keyword arguments" hint="A JSON object" lines=${4} />`}
    <div class="actions"><button type="button" onClick=${close}>Keep</button>
      <button class="primary" disabled=${!draft.value || sending.value}>${sending.value ? "Retrying…" : "Retry with these"}</button></div>
  </form>`;
}
