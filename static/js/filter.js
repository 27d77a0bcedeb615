// The task list's filters: between the search box, the address and the API's query.

/** Chips a search box takes, as `name:value`; other words are free text, `q`. */
export const CHIP_KEYS = ["name", "queue", "tag", "worker"];
const KEYS = ["status", ...CHIP_KEYS, "q"];
const WORD = /(\w+):(?:"([^"]*)"|(\S+))|"([^"]*)"|(\S+)/g;

/** What a typed search says: `queue:emails welcome mail` → { queue: "emails", q: "welcome mail" }. @param {string} text */
export function parseSearch(text) {
  /** @type {Record<string, string>} */
  const found = {};
  const free = [];
  for (const [whole, key, quoted, bare, phrase] of text.matchAll(WORD)) {
    if (key && CHIP_KEYS.includes(key)) found[key] = quoted ?? bare;
    else free.push(phrase ?? whole);
  }
  if (free.length) found.q = free.join(" ");
  return found;
}

/** The filters set in an address, without its status. @param {URLSearchParams} query @returns {{ key: string, value: string }[]} */
export function chips(query) {
  return [...CHIP_KEYS, "q"].flatMap((key) => {
    const value = query.get(key);
    return value ? [{ key, value }] : [];
  });
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
