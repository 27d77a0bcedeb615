// What the operator does: each verb is one request and one toast that says what came back.
import { ApiError, get, post, put } from "./api.js";
import { exact, plural } from "./fmt.js";
import * as sharing from "./sharing.js";
import { refresh } from "./store.js";
import { toast } from "./ui/toast.js";

const AT_ONCE = 6;

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
export function retryDead(id) {
  return act("Retry", `/dlq/${encodeURIComponent(id)}/retry`, ({ name, status }) => `Retried ${name}. It is now ${status}.`);
}

/** @param {string} queue */
export function pauseQueue(queue) {
  return act("Pause", `/queues/${encodeURIComponent(queue)}/pause`, ({ total_queued }) =>
    `Paused ${queue}, with ${plural(total_queued, "task")} waiting. What runs goes on.`);
}

/** @param {string} queue */
export function resumeQueue(queue) {
  return act("Resume", `/queues/${encodeURIComponent(queue)}/resume`, ({ total_queued }) => `Resumed ${queue}, with ${plural(total_queued, "task")} waiting.`);
}

/** Sets how tasks share a queue by their keys, if it is still as it was shown; what is wrong, where something is.
 * @param {Queue} shown @param {sharing.Sharing} typed @returns {Promise<sharing.Faults | null>} */
export async function saveSharing(shown, typed) {
  const path = `/queues/${encodeURIComponent(shown.name)}`;
  try {
    const { data: queue } = await get(path);
    const limit = async (/** @type {boolean} */ isSet, /** @type {string} */ query) => (isSet ? (await get(`${path}/rate-limit${query}`)).data : null);
    const [own, ofKeys] = await Promise.all([limit(queue.rate_limit !== null, ""), limit(queue.key_rate_limit !== null, "?by=rate_key")]);
    const { set, faults } = sharing.parse(typed, shown.key_rate_limit ?? "", ofKeys);
    if (!set) return faults;
    await put(path, sharing.bodyOf(queue, own, set, shown.version));
    toast(`Saved the settings of ${shown.name}.`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return sharing.faultsOf(error.problem, error.message);
  }
  refresh();
  return null;
}

/** Submits a task given as JSON text; answers the task, or throws ApiError. @param {string} body @returns {Promise<Task>} */
export async function submit(body) {
  const { data } = await post("/tasks", body);
  refresh();
  return data;
}

/** The same verb on many tasks: one toast with the counts. @param {"cancel" | "retry"} verb @param {string[]} ids */
export async function actOnMany(verb, ids) {
  const waiting = [...ids];
  let done = 0, refused = 0, failed = 0;
  const run = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      try {
        await post(`/tasks/${encodeURIComponent(id)}/${verb}`);
        done += 1;
      } catch (error) {
        if (error instanceof ApiError && (error.status === 409 || error.status === 404)) refused += 1;
        else failed += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  const word = verb === "cancel" ? ["Cancelled or asked to stop", "cancellable"] : ["Retried", "retryable"];
  const parts = [`${word[0]} ${exact(done)}`];
  if (refused) parts.push(`${exact(refused)} no longer ${word[1]}`);
  if (failed) parts.push(`${exact(failed)} failed`);
  toast(parts.join(", "), failed ? "bad" : "ok");
  refresh();
}

/** @param {string} verb @param {string} path @param {(answer: any) => string} describe */
async function act(verb, path, describe) {
  try {
    const { data } = await post(path);
    toast(describe(data), "ok");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(`${verb}: ${error.message}`, "bad");
  }
  refresh();
}
