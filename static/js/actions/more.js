// What can be done to workflows and workers.
import { act } from "./act.js";
import { exact, plural } from "../fmt.js";

/** @param {string} id */
export function cancelWorkflow(id) {
  return act("Cancel", `/workflows/${encodeURIComponent(id)}/cancel`, ({ cancelled, stopping }) =>
    `Cancelled ${plural(cancelled, "task")}${stopping ? `; ${exact(stopping)} still run and are asked to stop` : ""}.`);
}

/** @param {string} id */
export function retryWorkflow(id) {
  return act("Retry", `/workflows/${encodeURIComponent(id)}/retry`, ({ retried, left }) => `Retried ${plural(retried, "task")}${left ? `; ${exact(left)} stay as they are` : ""}.`);
}

/** @param {Worker} worker @param {"quiet" | "resume" | "stop"} verb */
export function askWorker(worker, verb) {
  const said = { quiet: "starts nothing new", resume: "takes tasks again", stop: "finishes what runs and ends" }[verb];
  return act(verb[0].toUpperCase() + verb.slice(1), `/workers/${encodeURIComponent(worker.id)}/${verb}`, () => `Asked ${worker.name ?? worker.host}: it ${said}.`);
}
