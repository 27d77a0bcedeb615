// Work on many tasks at once: a dry run says on how many, then it goes on by itself, as fast as is wished.
import { ApiError } from "../api.js";
import * as fmt from "../fmt.js";
import { refresh } from "../store.js";
import { openDialog } from "./dialog.js";
import { toast } from "./toast.js";
import { html, useEffect, useSignal } from "../../vendor/preact.js";

/** `send` asks for it: `dry` only counts. `word`: [verb, noun], as "Retry", "dead letter".
 * @typedef {{ word: [string, string], text: string, paced: boolean, danger?: boolean, send: (dry: boolean, rate: string) => Promise<import("../api.js").Answer> }} Work */

/** @param {Work} work */
export function askMany(work) {
  openDialog(Many, { work });
}

/** @param {{ work: Work, close: () => void }} props */
function Many({ work, close }) {
  const [verb, noun] = work.word;
  const counted = useSignal(/** @type {{ matched: number, matched_capped: boolean } | null} */ (null));
  const fault = useSignal("");
  const sending = useSignal(false);
  const rate = useSignal("");
  const attempt = async (/** @type {() => Promise<void>} */ what) => {
    try {
      await what();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fault.value = error.problem.errors?.map(({ detail }) => detail).join(". ") || error.message;
    }
  };
  useEffect(() => { attempt(async () => { counted.value = (await work.send(true, "")).data; }); }, []);
  const n = counted.value?.matched ?? 0;
  const many = `${fmt.plural(n, noun)}${counted.value?.matched_capped ? " or more" : ""}`;
  const onSubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    sending.value = true;
    await attempt(async () => {
      const { data } = await work.send(false, rate.value.trim());
      toast(data.id ? `${verb}: begun on ${many}.` : `${verb}: ${fmt.exact(data.done)} of ${many}.`);
      close();
      refresh();
    });
    sending.value = false;
  };
  return html`<form onSubmit=${onSubmit} novalidate>
    <h2 id="dialog-title">${counted.value ? `${verb} ${many}?` : `${verb}: counting…`}</h2>
    <p>${work.text}</p>
    ${fault.value && html`<p class="note is-bad" role="alert">${fault.value}</p>`}
    ${work.paced && html`<div class="field"><label for="field-rate">At most</label>
      <input id="field-rate" placeholder="as fast as it goes" value=${rate.value} aria-describedby="field-rate-hint" autocomplete="off"
        onInput=${(/** @type {any} */ event) => { rate.value = event.target.value; fault.value = ""; }} />
      <p class="hint" id="field-rate-hint">A pace such as 10/s, 100/m or 5/h keeps what they call from being overrun.</p></div>`}
    <div class="actions">
      <button type="button" onClick=${close}>Keep</button>
      <button class=${work.danger ? "danger" : "primary"} disabled=${!n || sending.value}>${sending.value ? "Asking…" : `${verb} ${counted.value ? many : ""}`}</button>
    </div>
  </form>`;
}
