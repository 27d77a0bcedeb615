// One verb: one request and one toast that says what came back. And what the server finds wrong, for forms.
import { ApiError, post, remove } from "../api.js";
import { refresh } from "../store.js";
import { toast } from "../ui/toast.js";

/** @param {string} verb @param {string} path @param {(answer: any) => string} describe @param {typeof post | typeof remove} [send] @param {() => void} [after] */
export async function act(verb, path, describe, send = post, after = refresh) {
  try {
    const { data } = await send(path);
    toast(describe(data), "ok");
    after();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(`${verb}: ${error.message}`, "bad");
    refresh();
  }
}

/** What the server finds wrong, by field; what is of none of these is the form's. @param {ApiError} error @param {string[]} fields */
export function fieldFaults(error, fields) {
  /** @type {Record<string, string>} */
  const faults = {};
  for (const { pointer, detail } of error.problem.errors ?? []) {
    const path = pointer.replace(/^#?\//, "").split("/");
    const field = path.find((part) => fields.includes(part));
    if (field) faults[field] = detail;
    else faults.form = [faults.form, `${path.join(".")} ${detail}`].filter(Boolean).join(". ");
  }
  return Object.keys(faults).length ? faults : { form: error.message };
}

/** A fault where a text is no JSON of this kind. @param {string} field @param {string} text @param {"[" | "{"} opens @returns {Record<string, string>} */
export function notJson(field, text, opens) {
  try {
    JSON.parse(text);
    if (text.trim().startsWith(opens)) return {};
  } catch {
    // What it should be is said below.
  }
  return { [field]: opens === "[" ? 'This isn\'t a JSON list, such as [1, "two"].' : 'This isn\'t a JSON object, such as {"multiplier": 2}.' };
}
