// Live data: a watcher fetches its path, then again when a hint concerns it, or after a time; never twice in a second.
import { get, health as getHealth, online, unauthorized, ApiError } from "./api.js";
import * as rates from "./rates.js";
import * as sse from "./sse.js";
import { computed, signal, useEffect, useRef, useSignal } from "../vendor/preact.js";

const MIN_GAP_MS = 1_000;
const POLL_MS = 3_000;

/** @typedef {import("./api.js").Answer} Answer */
/** @typedef {{ data: any, text: string, error: ApiError | null, loading: boolean, at: number }} Loaded */
/** `every`: also re-fetch after so many ms · `topics`, `concerns`: which hints matter · `held`: no re-fetch now.
 * @typedef {{ every?: number, topics?: Hint["topic"][], concerns?: (hint: Hint) => boolean, held?: () => boolean, fetch?: (path: string) => Promise<Answer> }} WatchOptions */

/** Set by the user's pause button. */
export const paused = signal(false);
/** The time, ticking each second while visible: relative times follow it. */
export const now = signal(Date.now());
/** @type {import("../vendor/preact.js").Signal<Stats | null>} */
export const stats = signal(null);
/** @type {import("../vendor/preact.js").Signal<Health | null>} */
export const health = signal(null);
/** Completed and failed per second, a point per poll. @type {import("../vendor/preact.js").Signal<rates.Point[]>} */
export const throughput = signal([]);

/** In a word, for the header. */
export const connection = computed(() => {
  if (!online.value) return "offline";
  return paused.value ? "paused" : sse.link.value;
});

/** @type {Set<Watcher>} */
const watchers = new Set();

class Watcher {
  /** @param {string} path @param {WatchOptions} options @param {(answer: Answer | null, error: ApiError | null) => void} deliver */
  constructor(path, options, deliver) {
    this.path = path;
    this.options = options;
    this.deliver = deliver;
    this.busy = false;
    this.due = true;
    this.startedAt = 0;
  }

  /** Fetches if it is due, and neither a fetch in flight nor the last start stands against it. @param {number} time */
  tick(time) {
    const { every = 0, topics, held } = this.options;
    const period = sse.link.value === "live" || !topics ? every : every ? Math.min(every, POLL_MS) : POLL_MS;
    if (period && time - this.startedAt >= period) this.due = true;
    if (!this.due || this.busy || time - this.startedAt < MIN_GAP_MS || paused.value || unauthorized.value || !sse.visible.value || held?.()) return;
    this.load();
  }

  async load() {
    this.busy = true;
    this.due = false;
    this.startedAt = Date.now();
    try {
      const answer = await (this.options.fetch ?? get)(this.path);
      if (watchers.has(this)) this.deliver(answer, null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (watchers.has(this)) this.deliver(null, error);
    } finally {
      this.busy = false;
    }
  }
}

/** Fetches `path` now and keeps it fresh; returns what stops it. The first fetch happens even while paused.
 * @param {string} path @param {WatchOptions} options @param {(answer: Answer | null, error: ApiError | null) => void} deliver */
export function watch(path, options, deliver) {
  const watcher = new Watcher(path, options, deliver);
  watchers.add(watcher);
  watcher.load();
  return () => { watchers.delete(watcher); };
}

/** What `path` answers, kept fresh while the component is shown. A new path keeps the previous data until its own arrives,
 * unless `group` changed with it: rows of another page may stand for a moment, those of another status may not.
 * @param {string} path @param {WatchOptions & { group?: string }} [options] @returns {Loaded} */
export function useLive(path, options = {}) {
  const state = useSignal(/** @type {Loaded} */ (EMPTY));
  const group = useRef(options.group);
  const held = useRef(options.held);
  held.current = options.held;
  useEffect(() => {
    state.value = group.current === options.group ? { ...state.value, loading: true } : EMPTY;
    group.current = options.group;
    return watch(path, { ...options, held: () => held.current?.() ?? false }, (answer, error) => {
      state.value = answer
        ? { ...answer, error: null, loading: false, at: Date.now() }
        : { ...state.value, error, loading: false };
    });
  }, [path]);
  return state.value;
}

/** Everything shown is fetched again at once: after an action of the user's. */
export function refresh() {
  for (const watcher of watchers) {
    watcher.due = true;
    if (!watcher.busy) watcher.load();
  }
}

/** Starts the clock, the live link and what every page shows. */
export function start() {
  sse.start(
    (hint) => watchers.forEach((watcher) => { watcher.due ||= concerns(watcher, hint); }),
    () => watchers.forEach((watcher) => { watcher.due ||= watcher.options.topics !== undefined; }),
  );
  watch("/stats", { every: 2_000 }, (answer) => {
    if (!answer) return;
    stats.value = answer.data;
    throughput.value = rates.add(throughput.value, answer.data.totals, Date.now());
  });
  watch("/health", { every: 5_000, fetch: getHealth }, (answer) => { health.value = answer?.data ?? health.value; });
  setInterval(() => {
    if (!sse.visible.value) return;
    const time = Date.now();
    if (time - now.value >= 1_000) now.value = time;
    watchers.forEach((watcher) => watcher.tick(time));
  }, 250);
}

/** @type {Loaded} */
const EMPTY = { data: null, text: "", error: null, loading: true, at: 0 };

/** @param {Watcher} watcher @param {Hint} hint */
function concerns({ options }, hint) {
  return Boolean(options.topics?.includes(hint.topic)) && (options.concerns?.(hint) ?? true);
}
