// The settings of a queue, changed while it runs. What is typed stays, whatever becomes of the queue meanwhile: its version tells.
import { saveQueue } from "../actions/queues.js";
import { textOf } from "../queue-settings.js";
import { Field } from "./field.js";
import { html, useEffect, useSignal } from "../../vendor/preact.js";

/** @param {{ queue: Queue }} props */
export function QueueForm({ queue }) {
  const typed = useSignal(/** @type {{ text: import("../queue-settings.js").Typed, from: Queue } | null} */ (null));
  const faults = useSignal(/** @type {import("../queue-settings.js").Faults} */ ({}));
  const saving = useSignal(false);
  const saved = useSignal(false);
  const { text, from } = typed.value ?? { text: textOf(queue), from: queue };
  const set = (/** @type {import("../queue-settings.js").Name} */ key) => (/** @type {any} */ event) => {
    typed.value = { text: { ...text, [key]: event.target.value }, from };
    faults.value = { ...faults.value, [key]: undefined, form: undefined };
  };
  const forget = () => { typed.value = null; faults.value = {}; saved.value = false; };
  // What was saved stays until it is what the queue shows.
  useEffect(() => { if (saved.value && queue.version !== from.version) forget(); }, [saved.value, queue.version]);
  const onSubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    saving.value = true;
    const found = await saveQueue(from, text);
    saving.value = false;
    if (found) faults.value = found;
    else saved.value = true;
  };
  const fields = { draft: text, faults: faults.value, set };
  return html`<form class="form" onSubmit=${onSubmit} novalidate>
    ${faults.value.form && html`<p class="note is-bad" role="alert">${faults.value.form}</p>`}
    <fieldset><legend>How fast</legend><div class="columns">
      <${Field} ...${fields} name="weight" label="Weight" hint="Its share of the slots against other queues'" />
      <${Field} ...${fields} name="concurrency" label="Concurrency" hint="Most running at a time; empty is no cap" />
      <${Field} ...${fields} name="rate_limit" label="Rate limit" hint="Starts in a time, such as 100/1m" />
      <${Field} ...${fields} name="max_depth" label="Max depth" hint="Most waiting; more are refused" />
      <${Field} ...${fields} name="at_cap" label="At a cap" options=${["wait", "reject"]} hint="Tasks wait, or are refused" />
      <${Field} ...${fields} name="ageing" label="Ageing" hint="One level of priority for each such wait" /></div></fieldset>
    <fieldset><legend>Tasks that don't say otherwise</legend><div class="columns">
      <${Field} ...${fields} name="max_retries" label="Retries" hint="Empty is the server's default" />
      <${Field} ...${fields} name="timeout" label="Time limit" hint="Such as 5m, or none; empty is the default" />
      <${Field} ...${fields} name="max_age" label="Max age" hint="Not started later than this" />
      <${Field} ...${fields} name="keep_success" label="Keep successes" hint="Such as 1h or 7d" />
      <${Field} ...${fields} name="keep_others" label="Keep others" hint="Cancelled, expired, skipped" /></div></fieldset>
    <fieldset><legend>Sharing by keys</legend>
      <p class="muted">Tasks of different fair keys take turns. Each rate key has a limit for itself, and of each concurrency key only so many run at a time.</p>
      <div class="columns two">
      <${Field} ...${fields} name="key_rate_limit" label="Limit of each rate key" hint="Starts in a time, such as 100/1m; empty is no limit" />
      <${Field} ...${fields} name="key_concurrency" label="Cap of each concurrency key" hint="Most running at a time; empty is no cap" /></div>
      <${Field} ...${fields} name="fair_weights" label="Weights of fair keys" hint="How many start when it is their turn: KEY=N, one a line. Of keys not named it is one." lines=${4} /></fieldset>
    <div class="actions"><button class="primary" disabled=${saving.value || saved.value || !typed.value}>${saving.value ? "Saving…" : "Save"}</button>
      ${typed.value && !saved.value && html`<button type="button" onClick=${forget}>Discard</button>`}</div>
  </form>`;
}
