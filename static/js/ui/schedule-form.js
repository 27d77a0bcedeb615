// A schedule being written: its fields, and when it would tick, asked from the server while one types.
import { saveSchedule } from "../actions/schedules.js";
import { ApiError, post } from "../api.js";
import { inWords } from "../cron.js";
import { bodyOf, check, FIELDS, ruleOf } from "../schedule.js";
import { may } from "../session.js";
import { useLive } from "../store.js";
import { Field } from "./field.js";
import { Ticks } from "./ticks.js";
import { html, useEffect, useSignal } from "../../vendor/preact.js";

const PAUSE_MS = 300;
/** @type {string[]} */
const ZONES = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [];

/** @param {{ from: import("../schedule.js").Draft, version?: number, enabled: boolean, onSaved: (name: string) => void }} props */
export function ScheduleForm({ from, version, enabled, onSaved }) {
  const draft = useSignal(from);
  const faults = useSignal(/** @type {Record<string, string | undefined>} */ ({}));
  const saving = useSignal(false);
  const queues = useLive("/queues");
  const set = (/** @type {string} */ key) => (/** @type {any} */ event) => {
    draft.value = { ...draft.value, [key]: event.target.value };
    faults.value = { ...faults.value, [key]: undefined, form: undefined };
  };
  const onSubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    faults.value = check(draft.value);
    if (!Object.keys(faults.value).length) {
      saving.value = true;
      const found = await saveSchedule(draft.value.name.trim(), bodyOf(draft.value, version ? { version, enabled } : { enabled }), !version);
      saving.value = false;
      if (!found) return onSaved(draft.value.name.trim());
      faults.value = found;
    }
    document.getElementById(`field-${Object.keys(faults.value)[0]}`)?.focus();
  };
  const fields = { draft: /** @type {any} */ (draft.value), faults: faults.value, set };
  const byCron = draft.value.kind === "cron";
  return html`<form class="form" onSubmit=${onSubmit} novalidate>
    ${faults.value.form && html`<p class="note is-bad" role="alert">${faults.value.form}</p>`}
    ${!version && html`<${Field} ...${fields} name="name" label="Name" hint="Letters, digits, dot, dash and underscore" />`}
    <fieldset><legend>When</legend>
      <div class="columns"><${Field} ...${fields} name="kind" label="By" options=${["cron", "every"]} />
        ${byCron ? html`<${Field} ...${fields} name="cron" label="Expression" hint="minute hour day month weekday" /><${Field} ...${fields} name="timezone" label="Zone" list=${ZONES} />`
          : html`<${Field} ...${fields} name="every" label="Span" hint="Elapsed time, such as 30s or 6h" />`}</div>
      <div class="columns"><${Field} ...${fields} name="catch_up" label="Late ticks" options=${["one", "skip", "all"]} hint="More than 10 s late: the last, none, or all" />
        <${Field} ...${fields} name="overlap" label="While the last runs" options=${["allow", "skip"]} />
        <${Field} ...${fields} name="jitter" label="Jitter" hint="Later by up to this, such as 30s" /></div>
      <${Preview} draft=${draft.value} /></fieldset>
    <fieldset><legend>Its task</legend>
      <div class="columns two"><${Field} ...${fields} name="task" label="Task name" hint="The handler that runs it" />
        <${Field} ...${fields} name="queue" label="Queue" list=${(queues.data?.data ?? []).map((/** @type {Queue} */ queue) => queue.name)} /></div>
      <${Field} ...${fields} name="args" label="Arguments" hint="A JSON list" lines=${3} />
      <${Field} ...${fields} name="kwargs" label="Keyword arguments" hint="A JSON object" lines=${3} />
      <${Field} ...${fields} name="more" label="Other fields" hint=${'A JSON object of what else a task can be given, such as {"priority": 8, "timeout": "5m"}'} lines=${3} /></fieldset>
    <div class="actions"><button class="primary" disabled=${saving.value || !may("operate")}>${saving.value ? "Saving…" : version ? "Save" : "Make the schedule"}</button></div>
  </form>`;
}

/** @param {{ draft: import("../schedule.js").Draft }} props */
function Preview({ draft }) {
  const ticks = useSignal(/** @type {ScheduleTick[]} */ ([]));
  const fault = useSignal("");
  const body = JSON.stringify({ ...ruleOf(draft), ...(draft.name.trim() && { name: draft.name.trim() }) });
  useEffect(() => {
    let current = true;
    const ask = async () => {
      try {
        const { data } = await post("/schedules/preview?n=3", body);
        if (current) [ticks.value, fault.value] = [data.data, ""];
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (current) [ticks.value, fault.value] = [[], error.problem.errors?.map(({ pointer, detail }) => `${FIELDS.find((field) => pointer.endsWith(field)) ?? ""} ${detail}`.trim()).join(". ") ?? error.message];
      }
    };
    const timer = setTimeout(ask, PAUSE_MS);
    return () => { current = false; clearTimeout(timer); };
  }, [body]);
  const words = inWords(draft.kind === "cron" ? { cron: draft.cron } : { every: draft.every });
  return html`<div class="preview" aria-live="polite">${fault.value ? html`<p class="fault">${fault.value}</p>`
    : html`<p><strong>${words ? `It ticks ${words}` : "It ticks"}</strong>, next:</p><${Ticks} ticks=${ticks.value} />`}</div>`;
}
