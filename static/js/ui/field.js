// One labelled field of a form, with its hint and what is wrong with it.
import { html } from "../../vendor/preact.js";

/** @typedef {{ name: string, label: string, draft: Record<string, string>, faults: Record<string, string | undefined>, set: (key: any) => (event: any) => void,
 *   hint?: string, lines?: number, options?: string[], list?: string[] }} Props */

/** @param {Props} props */
export function Field({ name, label, draft, faults, set, hint, lines, options, list }) {
  const id = `field-${name}`;
  const fault = faults[name];
  const common = {
    id, name, value: draft[name], onInput: set(name), autocomplete: "off", spellcheck: false,
    "aria-invalid": Boolean(fault), "aria-describedby": fault ? `${id}-fault` : hint ? `${id}-hint` : undefined,
  };
  return html`<div class="field"><label for=${id}>${label}</label>
    ${options ? html`<select ...${common}>${options.map((option) => html`<option key=${option} value=${option}>${option}</option>`)}</select>`
      : lines ? html`<textarea ...${common} rows=${lines}></textarea>`
      : html`<input ...${common} list=${list ? `${id}-list` : undefined} />`}
    ${list && html`<datalist id=${`${id}-list`}>${list.map((each) => html`<option key=${each} value=${each} />`)}</datalist>`}
    ${fault ? html`<p class="fault" id=${`${id}-fault`}>${fault}</p>` : hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}
