// The task list's filters: between the search box, the address and the API's query.

/** Chips a search box takes, as `name:value`; other words are free text, `q`. */
export const CHIP_KEYS = ["name", "queue", "tag", "worker", "workflow"];
const KEYS = ["status", ...CHIP_KEYS, "q", "created_after", "created_before"];
const WORD = /(\w+):(?:"([^"]*)"|(\S+))|"([^"]*)"|(\S+)/g;

/** What a typed search says: `queue:emails welcome mail` → { queue: "emails", q: "welcome mail" }.
 * @param {string} text @param {string[]} [keys] what it takes as chips @param {string} [rest] under which other words go */
export function parseSearch(text, keys = CHIP_KEYS, rest = "q") {
  /** @type {Record<string, string>} */
  const found = {};
  const free = [];
  for (const [whole, key, quoted, bare, phrase] of text.matchAll(WORD)) {
    if (key && keys.includes(key)) found[key] = quoted ?? bare;
    else free.push(phrase ?? whole);
  }
  if (free.length) found[rest] = free.join(" ");
  return found;
}

/** The filters set in an address, without its status. @param {URLSearchParams} query @param {string[]} [keys] @returns {{ key: string, value: string }[]} */
export function chips(query, keys = [...CHIP_KEYS, "q"]) {
  return keys.flatMap((key) => {
    const value = query.get(key);
    return value ? [{ key, value }] : [];
  });
}

/** An address's filters as the body of work on all that match takes them. What leaves nothing out must be meant so.
 * @param {URLSearchParams} query @returns {{ filter: Record<string, unknown>, all?: true }} */
export function filterBody(query) {
  /** @type {Record<string, unknown>} */
  const filter = {};
  for (const key of KEYS) {
    const value = query.get(key);
    if (value) filter[key] = key === "status" ? value.split(",") : value;
  }
  return Object.keys(filter).length ? { filter } : { filter, all: true };
}

/** The address of the tasks with one filter set. @param {"queue" | "tag" | "worker"} key @param {string} value */
export function tasksWith(key, value) {
  return `tasks?${key}=${encodeURIComponent(value)}`;
}

/** The address of one task. @param {string} id */
export function taskHref(id) {
  return `tasks/${encodeURIComponent(id)}`;
}

/** The API's path for an address's filters. @param {URLSearchParams} query @param {number} limit */
export function tasksPath(query, limit) {
  const wanted = new URLSearchParams();
  for (const key of [...KEYS, "cursor"]) {
    const value = query.get(key);
    if (value) wanted.set(key, value);
  }
  wanted.set("limit", String(limit));
  return `/tasks?${wanted}`;
}
