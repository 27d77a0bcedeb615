// The live link: one EventSource for the tab. Its events are hints that something changed; store.js re-fetches.
import { API, online } from "./api.js";
import { signal } from "../vendor/preact.js";

const TOPICS = /** @type {const} */ (["tasks", "queues", "workers"]);
const FAILURES_UNTIL_POLLING = 3;
const RETRY_MS = 2_000;
const RETRY_POLLING_MS = 30_000;

/** How the page learns of changes now. @type {import("../vendor/preact.js").Signal<"connecting" | "live" | "polling">} */
export const link = signal("connecting");

/** True while the tab is in the foreground: a hidden one holds no connection. */
export const visible = signal(true);

/** @type {EventSource | null} */
let source = null;
let failures = 0;
let retry = 0;

/** Opens the link and keeps it open while the tab is visible. `onReset` is called when hints may have been missed.
 * @param {(hint: Hint) => void} onHint @param {() => void} onReset */
export function start(onHint, onReset) {
  const follow = () => {
    visible.value = document.visibilityState === "visible";
    clearTimeout(retry);
    if (visible.value) open(onHint, onReset);
    else close();
  };
  document.addEventListener("visibilitychange", follow);
  follow();
  // A server that answers again most likely streams again: don't sit out the long delay.
  online.subscribe((up) => { if (up && link.value === "polling") follow(); });
}

/** @param {(hint: Hint) => void} onHint @param {() => void} onReset */
function open(onHint, onReset) {
  close();
  const opened = new EventSource(`${API}/events?topics=${TOPICS.join(",")}`);
  source = opened;
  opened.addEventListener("open", () => {
    failures = 0;
    link.value = "live";
    onReset();
  });
  opened.addEventListener("reset", onReset);
  // Who follows tasks also hears how far they have come, and of the lines of their logs.
  for (const topic of /** @type {const} */ ([...TOPICS, "progress", "log"])) {
    opened.addEventListener(topic, (event) => onHint({ ...fields(event.data), topic }));
  }
  // EventSource gives up for good on an HTTP error, and its own delay isn't ours to set: start afresh each time.
  opened.addEventListener("error", () => {
    close();
    failures += 1;
    link.value = failures >= FAILURES_UNTIL_POLLING ? "polling" : "connecting";
    clearTimeout(retry);
    retry = setTimeout(() => visible.value && open(onHint, onReset), link.value === "polling" ? RETRY_POLLING_MS : RETRY_MS);
  });
}

function close() {
  source?.close();
  source = null;
}

/** @param {string} data */
function fields(data) {
  try {
    const parsed = JSON.parse(data);
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
