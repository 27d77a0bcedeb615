// Writing a task by hand. The curl below the form does the same as its button.
import { submit } from "../actions/tasks.js";
import { ApiError } from "../api.js";
import { submitBody, submitCurl } from "../curl.js";
import { go, route } from "../router.js";
import { may } from "../session.js";
import { useLive } from "../store.js";
import { Command } from "../ui/copy.js";
import { Field } from "../ui/field.js";
import { toast } from "../ui/toast.js";
import { html, useSignal } from "../../vendor/preact.js";

/** @typedef {{ name: string, args: string, kwargs: string, queue: string, priority: string, delay: string }} Draft */
/** @typedef {Partial<Record<keyof Draft | "form", string>>} Faults */

export function NewTask() {
  const { query } = route.value;
  const draft = useSignal(/** @type {Draft} */ ({
    name: query.get("name") ?? "", args: "[]", kwargs: "{}", queue: query.get("queue") ?? "default", priority: "medium", delay: "",
  }));
  const faults = useSignal(/** @type {Faults} */ ({}));
  const sending = useSignal(false);
  const queues = useLive("/queues");
  const workers = useLive("/workers");
  // Those that somebody there can run, where that is told.
  const names = [...new Set((workers.data?.data ?? []).flatMap((/** @type {Worker} */ worker) => worker.names ?? []))].sort();
  const set = (/** @type {keyof Draft} */ key) => (/** @type {any} */ event) => {
    draft.value = { ...draft.value, [key]: event.target.value };
    if (faults.value[key]) faults.value = { ...faults.value, [key]: undefined };
  };
  const onSubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    faults.value = check(draft.value);
    const first = Object.keys(faults.value)[0];
    if (first) return document.getElementById(`field-${first}`)?.focus();
    sending.value = true;
    faults.value = await send(bodyOf(draft.value));
    sending.value = false;
  };
  const fields = { draft: draft.value, faults: faults.value, set };
  return html`<header class="head"><h1>New task</h1></header>
    <form class="form" onSubmit=${onSubmit} novalidate>
      ${faults.value.form && html`<p class="note is-bad" role="alert">${faults.value.form}</p>`}
      <${Field} ...${fields} name="name" label="Name" hint="The handler that runs it, such as demo.echo" list=${names} />
      <${Field} ...${fields} name="args" label="Arguments" hint="A JSON list. Big integers are sent exactly." lines=${3} />
      <${Field} ...${fields} name="kwargs" label="Keyword arguments" hint="A JSON object" lines=${3} />
      <div class="columns">
        <${Field} ...${fields} name="queue" label="Queue" list=${(queues.data?.data ?? []).map((/** @type {Queue} */ queue) => queue.name)} />
        <${Field} ...${fields} name="priority" label="Priority" options=${["high", "medium", "low", ..."9876543210"]} />
        <${Field} ...${fields} name="delay" label="Delay" hint="Such as 10s or 5m; empty is now" />
      </div>
      <div class="actions"><button class="primary" disabled=${sending.value || !may("submit")}>${sending.value ? "Submitting…" : "Submit the task"}</button></div>
      <h2>The same from a shell</h2>
      ${isSound(draft.value) ? html`<${Command} text=${submitCurl(bodyOf(draft.value), location.origin)} />`
        : html`<p class="muted">It shows here once the task has a name and its arguments are JSON.</p>`}
    </form>`;
}

/** @param {Draft} draft */
function bodyOf({ priority, queue, ...rest }) {
  return submitBody({ ...rest, queue: queue === "default" ? "" : queue, priority: /^\d$/.test(priority) ? Number(priority) : priority === "medium" ? "" : priority });
}

/** @param {Draft} draft @returns {Faults} */
function check(draft) {
  /** @type {Faults} */
  const faults = {};
  if (!draft.name.trim()) faults.name = "A task needs a name.";
  if (!Array.isArray(parse(draft.args))) faults.args = "This isn't a JSON list, such as [1, \"two\"].";
  const kwargs = parse(draft.kwargs);
  if (typeof kwargs !== "object" || kwargs === null || Array.isArray(kwargs)) faults.kwargs = "This isn't a JSON object, such as {\"multiplier\": 2}.";
  return faults;
}

/** @param {Draft} draft */
function isSound(draft) {
  return Object.keys(check(draft)).length === 0;
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Submits; what the server finds wrong, by field. @param {string} body @returns {Promise<Faults>} */
async function send(body) {
  try {
    const task = await submit(body);
    toast(`Submitted ${task.name}. It is now ${task.status}.`);
    go(`tasks/${task.id}`);
    return {};
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    /** @type {Record<string, string>} */
    const faults = {};
    for (const { pointer, detail } of error.problem.errors ?? []) {
      const field = pointer.replace(/^#?\//, "").split("/")[0];
      faults[["name", "args", "kwargs", "queue", "priority", "delay"].includes(field) ? field : "form"] = detail;
    }
    return Object.keys(faults).length ? faults : { form: error.message };
  }
}
