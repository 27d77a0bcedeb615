// The fixed vocabulary of statuses: their order, words and icons. Colours are app.css's `.is-<status>`.

/** In the order a task may pass them. @type {Status[]} */
export const STATUSES = [
  "pending", "scheduled", "queued", "running", "retry", "success", "failed", "timeout", "cancelled", "expired", "skipped",
];

/** @type {Record<Status, string>} */
export const MEANING = {
  pending: "Waiting for the tasks it depends on",
  scheduled: "Waiting for its time",
  queued: "Ready, waiting for a free slot",
  running: "A worker is running it",
  retry: "An attempt failed; waiting to try again",
  success: "Finished with a result",
  failed: "Out of attempts, or not retryable",
  timeout: "Ran longer than its timeout allows",
  cancelled: "Stopped by request",
  expired: "Its time was over before it could start, or start again",
  skipped: "Not run, as a task it depends on failed",
};

const CANCELLABLE = new Set(["pending", "scheduled", "queued", "running", "retry"]);

/** @param {Status} status */
export function canCancel(status) {
  return CANCELLABLE.has(status);
}

/** @param {Status} status */
export function canRetry(status) {
  return !CANCELLABLE.has(status);
}
