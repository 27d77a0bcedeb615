// How far a workflow is, in words and as parts of a bar.

/** @typedef {"success" | "failed" | "timeout" | "cancelled" | "expired" | "skipped" | "open"} Part */
/** @type {Part[]} */
const ORDER = ["success", "failed", "timeout", "cancelled", "expired", "skipped"];

/** @type {Record<WorkflowState, string>} */
export const STATES = {
  running: "Some of its tasks are not over",
  success: "All that it needed succeeded",
  failed: "A task that it needed failed",
  cancelled: "It was cancelled",
};

/** As ui/bits.js's Bar takes them; what is open is the rest of the bar. @param {FlowProgress} progress @returns {[string, number, string][]} */
export function partsOf(progress) {
  return ORDER.map((part) => [`is-${part}`, progress[/** @type {keyof FlowProgress} */ (part)], part]);
}

/** "12 of 40 over, 2 failed". @param {FlowProgress} progress */
export function inWords({ total, open, failed, timeout, skipped }) {
  const bad = failed + timeout;
  const parts = [`${total - open} of ${total} over`];
  if (bad) parts.push(`${bad} failed`);
  if (skipped) parts.push(`${skipped} skipped`);
  return parts.join(", ");
}

/** The address of one. @param {string} id */
export function workflowHref(id) {
  return `workflows/${encodeURIComponent(id)}`;
}
