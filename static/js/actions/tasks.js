// What can be done to tasks.
import { act } from "./act.js";
import { ApiError, post, remove } from "../api.js";
import { exact } from "../fmt.js";
import { refresh } from "../store.js";
import { toast } from "../ui/toast.js";

/** @param {string} id */
export function cancelTask(id) {
  return act("Cancel", `/tasks/${encodeURIComponent(id)}/cancel`, ({ status }) =>
    status === "running" ? "Asked the task to stop. It is still running." : "Cancelled the task.");
}

/** @param {string} id */
export function retryTask(id) {
  return act("Retry", `/tasks/${encodeURIComponent(id)}/retry`, ({ status }) => `Retried the task. It is now ${status}.`);
}

/** @param {string} id */
export function runTaskNow(id) {
  return act("Run now", `/tasks/${encodeURIComponent(id)}/run-now`, ({ status }) => `It need not wait for its time any more. It is now ${status}.`);
}

/** What was shown of it is no more: `after` goes elsewhere. @param {string} id @param {() => void} after */
export function deleteTask(id, after) {
  return act("Delete", `/tasks/${encodeURIComponent(id)}`, () => "Deleted the task.", remove, after);
}

/** Submits a task given as JSON text; answers the task, or throws ApiError. @param {string} body @returns {Promise<Task>} */
export async function submit(body) {
  const { data } = await post("/tasks", body);
  refresh();
  return data;
}

/** The same on many tasks, at most a page of them: one request, one toast with the counts. @param {"cancel" | "retry" | "delete"} verb @param {string[]} ids */
export async function actOnMany(verb, ids) {
  const [done, possible] = { cancel: ["Cancelled or asked to stop", "cancellable"], retry: ["Retried", "retryable"], delete: ["Deleted", "over"] }[verb];
  try {
    const { data } = await post("/tasks/bulk", JSON.stringify({ action: verb, ids }));
    const refused = ids.length - data.done;
    toast(`${done} ${exact(data.done)}${refused ? `, ${exact(refused)} no longer ${possible}` : ""}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(`${verb}: ${error.message}`, "bad");
  }
  refresh();
}
