// What an operator should look at, worst first. One pure function, so that each rule is tested.
import { compact, duration, plural } from "./fmt.js";

const OLDEST_READY_LIMIT_S = 300;

/** @typedef {{ level: "bad" | "warn", text: string, hint: string, href: string }} Notice */
/** @typedef {{ online: boolean, stats: Stats | null, health: Health | null, queues: Queue[], workers: Worker[], actors: Actor[] }} Seen */

/** @param {Seen} seen @returns {Notice[]} */
export function attention({ online, stats, health, queues, workers, actors }) {
  const notices = [
    ...connectionNotices(online, health),
    ...queues.flatMap(queueNotices),
    ...workerNotices(stats, workers),
    ...actors.flatMap(actorNotices),
    ...deadNotices(stats),
  ];
  return notices.sort((a, b) => Number(a.level === "warn") - Number(b.level === "warn"));
}

/** @param {boolean} online @param {Health | null} health @returns {Notice[]} */
function connectionNotices(online, health) {
  if (!online) return [{ level: "bad", text: "The server doesn't answer", hint: "What is shown is what was last loaded. Trying again every few seconds.", href: "" }];
  if (!health || health.status === "ok") return [];
  const parts = [health.store, health.broker].filter((part) => part.status !== "ok").map((part) => `${part.kind} is ${part.status}`);
  return [{ level: "bad", text: `The server's health is ${health.status}`, hint: parts.join(", ") || "See /health.", href: "actors" }];
}

/** @param {Queue} queue @returns {Notice[]} */
function queueNotices(queue) {
  const href = `tasks?status=queued&queue=${encodeURIComponent(queue.name)}`;
  return [...unservableNotices(queue, href), ...waitingNotices(queue, href)];
}

/** @param {Queue} queue @param {string} href @returns {Notice[]} */
function unservableNotices(queue, href) {
  if (!queue.unservable) return [];
  const text = `Queue ${queue.name}: no live worker can run ${plural(queue.unservable, "task")}`;
  return [{ level: "bad", text, hint: "No handler of that name, a label or the queue is missing: each task says which.", href }];
}

/** @param {Queue} queue @param {string} href @returns {Notice[]} */
function waitingNotices(queue, href) {
  if (queue.paused) {
    if (!queue.total_queued) return [];
    return [{ level: "warn", text: `Queue ${queue.name} is paused with ${plural(queue.total_queued, "task")} waiting`, hint: "Nothing in it starts until it is resumed.", href: "queues" }];
  }
  if ((queue.oldest_ready_s ?? 0) <= OLDEST_READY_LIMIT_S) return [];
  const age = duration((queue.oldest_ready_s ?? 0) * 1000);
  return [{ level: "warn", text: `Queue ${queue.name}: the oldest ready task has waited ${age}`, hint: "More slots, or fewer tasks ahead of it, would start it sooner.", href }];
}

/** @param {Stats | null} stats @param {Worker[]} workers @returns {Notice[]} */
function workerNotices(stats, workers) {
  /** @type {Notice[]} */
  const notices = workers.filter((worker) => worker.state === "dead").map((worker) => ({
    level: "bad", text: `Worker ${worker.host} (pid ${worker.pid}) is lost`, hint: `Its last heartbeat was ${duration(worker.heartbeat_age_s * 1000)} ago.`, href: "workers",
  }));
  const waiting = stats?.status_counts.queued ?? 0;
  if (stats && !stats.workers && waiting) {
    notices.push({ level: "bad", text: `No worker is connected and ${plural(waiting, "task")} ${waiting === 1 ? "waits" : "wait"}`, hint: "Start one with: jobqueue worker", href: "workers" });
  }
  return notices;
}

/** @param {Actor} actor @returns {Notice[]} */
function actorNotices(actor) {
  if (actor.state !== "restarting" && actor.state !== "parked") return [];
  const hint = actor.last_panic ? `Last panic: ${actor.last_panic.message}` : `${plural(actor.restarts, "restart")}.`;
  return [{ level: actor.state === "parked" ? "bad" : "warn", text: `Actor ${actor.path} is ${actor.state}`, hint, href: "actors" }];
}

/** @param {Stats | null} stats @returns {Notice[]} */
function deadNotices(stats) {
  if (!stats?.dead_letters) return [];
  const many = stats.dead_letters >= 1000 ? `${compact(stats.dead_letters)} tasks` : plural(stats.dead_letters, "task");
  return [{ level: "warn", text: `${many} in dead letters`, hint: "Out of attempts. Each can be retried once its cause is mended.", href: "dead-letters" }];
}
