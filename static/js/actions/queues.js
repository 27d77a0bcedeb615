// What can be done to queues.
import { act } from "./act.js";
import { ApiError, get, put, remove } from "../api.js";
import { plural } from "../fmt.js";
import * as settings from "../queue-settings.js";
import { refresh } from "../store.js";
import { toast } from "../ui/toast.js";

/** @param {string} queue */
export function pauseQueue(queue) {
  return act("Pause", `/queues/${encodeURIComponent(queue)}/pause`, ({ total_queued }) =>
    `Paused ${queue}, with ${plural(total_queued, "task")} waiting. What runs goes on.`);
}

/** @param {string} queue */
export function resumeQueue(queue) {
  return act("Resume", `/queues/${encodeURIComponent(queue)}/resume`, ({ total_queued }) => `Resumed ${queue}, with ${plural(total_queued, "task")} waiting.`);
}

/** Sets up a queue, if it is still as it was shown; what is wrong, where something is.
 * @param {Queue} shown @param {settings.Typed} typed @returns {Promise<settings.Faults | null>} */
export async function saveQueue(shown, typed) {
  const path = `/queues/${encodeURIComponent(shown.name)}`;
  try {
    const { data: queue } = await get(path);
    const limit = async (/** @type {boolean} */ isSet, /** @type {string} */ query) => (isSet ? (await get(`${path}/rate-limit${query}`)).data : null);
    const [own, ofKeys] = await Promise.all([limit(queue.rate_limit !== null, ""), limit(queue.key_rate_limit !== null, "?by=rate_key")]);
    const { set, faults } = settings.parse(typed, settings.textOf(shown), { own, ofKeys });
    if (!set) return faults;
    await put(path, settings.bodyOf(queue, set, shown.version));
    toast(`Saved the settings of ${shown.name}.`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return settings.faultsOf(error.problem, error.message);
  }
  refresh();
  return null;
}

/** @param {string} queue */
export function purgeQueue(queue) {
  return act("Purge", `/queues/${encodeURIComponent(queue)}/purge`, (answer) => (answer.id ? `Purging ${queue}: its tasks are being cancelled.` : `Purged ${queue}.`));
}

/** What was shown of it is no more: `after` goes elsewhere. @param {string} queue @param {() => void} after */
export function deleteQueue(queue, after) {
  return act("Delete", `/queues/${encodeURIComponent(queue)}`, () => `Deleted the queue ${queue}.`, remove, after);
}
