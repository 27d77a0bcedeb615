// What a view of the dead letters is about: between the address, the API's query and the body of work on many.
import { href } from "./router.js";

/** Windows that groups are counted in. @type {[string, number][]} */
export const WINDOWS = [["1h", 3_600_000], ["3h", 10_800_000], ["24h", 86_400_000], ["3d", 259_200_000], ["7d", 604_800_000]];
const KEYS = ["queue", "name", "reason", "error", "cause"];

/** What a dead letter's reason means. @type {Record<DeadLetter["reason"], string>} */
export const REASONS = {
  exhausted: "Every attempt failed",
  timeout: "It ran longer than its timeout allows",
  expired: "It expires before another attempt could start",
  poison: "It crashed its worker again and again",
  not_retryable: "Its handler said that trying again is no use",
};

/** One filter at least, or the list is asked for: dead letters one by one. @param {URLSearchParams} query */
export function isList(query) {
  return query.get("view") === "list" || [...KEYS.slice(2), "window"].some((key) => query.has(key));
}

/** The API's path of the list. @param {URLSearchParams} query */
export function listPath(query) {
  return `/dlq?${picked(query, [...KEYS, "window", "cursor"], { limit: "50" })}`;
}

/** The API's path of the groups. @param {URLSearchParams} query */
export function groupsPath(query) {
  return `/dlq/groups?${picked(query, ["queue", "name"], { windows: WINDOWS.map(([name]) => name).join(",") })}`;
}

/** The address of a group's dead letters, of those of a window if one is given. @param {DeadGroup} group @param {string | null} window */
export function groupHref({ queue, name, reason, error }, window) {
  return href("dead-letters", new URLSearchParams(), { queue, name, reason, cause: error || null, window, view: "list" });
}

/** The filter as the API takes it to work on many; `everything` if it leaves nothing out.
 * @param {URLSearchParams} query @param {number} now @returns {{ filter: Record<string, string>, everything: boolean }} */
export function filterOf(query, now) {
  /** @type {Record<string, string>} */
  const filter = {};
  for (const key of KEYS) {
    const value = query.get(key);
    if (value) filter[key] = value;
  }
  const within = WINDOWS.find(([name]) => name === query.get("window"));
  if (within) filter.died_after = new Date(now - within[1]).toISOString();
  return { filter, everything: Object.keys(filter).length === 0 };
}

/** @param {URLSearchParams} query @param {string[]} keys @param {Record<string, string>} more */
function picked(query, keys, more) {
  const wanted = new URLSearchParams(more);
  for (const key of keys) {
    const value = query.get(key);
    if (value) wanted.set(key, value);
  }
  return wanted;
}
