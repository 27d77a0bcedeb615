// What can be done to schedules.
import { act, fieldFaults } from "./act.js";
import { ApiError, post, put, remove } from "../api.js";
import { refresh } from "../store.js";
import { toast } from "../ui/toast.js";

/** @param {string} name */
export function triggerSchedule(name) {
  return act("Run now", `/schedules/${encodeURIComponent(name)}/trigger`, (task) => `Made a task of ${name}. It is now ${task.status}.`);
}

/** @param {string} name */
export function pauseSchedule(name) {
  return act("Pause", `/schedules/${encodeURIComponent(name)}/pause`, () => `Paused ${name}. It does not tick until it is resumed.`);
}

/** @param {string} name */
export function resumeSchedule(name) {
  return act("Resume", `/schedules/${encodeURIComponent(name)}/resume`, () => `Resumed ${name}.`);
}

/** What was shown of it is no more: `after` goes elsewhere. @param {string} name @param {() => void} after */
export function deleteSchedule(name, after) {
  return act("Delete", `/schedules/${encodeURIComponent(name)}`, () => `Deleted the schedule ${name}.`, remove, after);
}

/** Sets up a schedule given as JSON text; what is wrong, by field, where something is. @param {string} name @param {string} body @param {boolean} isNew @returns {Promise<Record<string, string> | null>} */
export async function saveSchedule(name, body, isNew) {
  try {
    // One that is there already is not to be written over by a new one.
    if (isNew) await post("/schedules", `{"name":${JSON.stringify(name)},${body.slice(1)}`);
    else await put(`/schedules/${encodeURIComponent(name)}`, body);
    toast(isNew ? `Made the schedule ${name}.` : `Saved the schedule ${name}.`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const faults = fieldFaults(error, ["cron", "every", "timezone", "catch_up", "overlap", "jitter", "queue", "args", "kwargs"]);
    // The task's own name is under /task; a schedule that exists is said by its code.
    for (const { pointer, detail } of error.problem.errors ?? []) {
      if (/task\/name$/.test(pointer)) faults.task = detail;
      else if (/^#?\/name$/.test(pointer)) faults.name = detail;
      else continue;
      delete faults.form;
    }
    return faults;
  }
  refresh();
  return null;
}
