// What can be done to dead letters, and to work on many tasks.
import { act, fieldFaults, notJson } from "./act.js";
import { ApiError, post, remove } from "../api.js";
import { plural } from "../fmt.js";
import { compactJson } from "../json.js";
import { refresh } from "../store.js";
import { toast } from "../ui/toast.js";

/** @param {string} id */
export function retryDead(id) {
  return act("Retry", `/dlq/${encodeURIComponent(id)}/retry`, ({ name, status }) => `Retried ${name}. It is now ${status}.`);
}

/** Retries a dead letter with other arguments, JSON texts; what is wrong with them, where something is.
 * @param {string} id @param {{ args: string, kwargs: string }} parts @returns {Promise<Record<string, string> | null>} */
export async function retryDeadWith(id, { args, kwargs }) {
  const faults = { ...notJson("args", args, "["), ...notJson("kwargs", kwargs, "{") };
  if (Object.keys(faults).length) return faults;
  try {
    const { data } = await post(`/dlq/${encodeURIComponent(id)}/retry`, `{"args":${compactJson(args)},"kwargs":${compactJson(kwargs)}}`);
    toast(`Retried ${data.name} with what was given. It is now ${data.status}.`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return fieldFaults(error, ["args", "kwargs"]);
  }
  refresh();
  return null;
}

/** @param {string} id */
export function deleteDead(id) {
  return act("Delete", `/dlq/${encodeURIComponent(id)}`, () => "Deleted the dead letter.", remove);
}

/** @param {string} id */
export function stopOperation(id) {
  return act("Stop", `/operations/${encodeURIComponent(id)}/cancel`, ({ done }) => `Stopped. ${plural(done, "task")} had been dealt with.`);
}
