// What an operator sets for how tasks share a queue, and for the keys they do it by: as text in a form, and as the API takes it.

/** The fields of the form, as text. @typedef {{ concurrency: string, ageing: string, key_rate_limit: string, key_concurrency: string, fair_weights: string }} Sharing */
/** What is wrong, by field. @typedef {Partial<Record<keyof Sharing | "form", string>>} Faults */

/** Settings that the API replaces all at once, and so have to be sent along. */
const KEPT = ["paused", "weight", "concurrency", "at_cap", "ageing", "max_depth", "max_retries", "retry", "timeout", "max_age", "retention"];
const RULE = ["limit", "per", "by", "algorithm", "burst", "enabled"];

/** @param {Queue} queue @returns {Sharing} */
export function textOf({ concurrency, ageing, key_rate_limit, key_concurrency, fair_weights }) {
  return {
    concurrency: concurrency === null ? "" : String(concurrency),
    ageing: ageing ?? "",
    key_rate_limit: key_rate_limit ?? "",
    key_concurrency: key_concurrency === null ? "" : String(key_concurrency),
    fair_weights: Object.entries(fair_weights).map(([key, weight]) => `${key}=${weight}`).join("\n"),
  };
}

/** What is set by what was typed; `rule` is the limit that rate keys have now, of which all stays that is not said anew.
 * @param {Sharing} typed @param {string} shown the limit as it was shown @param {any} rule @returns {{ set?: Record<string, unknown>, faults: Faults }} */
export function parse(typed, shown, rule) {
  /** @type {Faults} */
  const faults = {};
  const limit = rateOf(typed.key_rate_limit, shown, rule);
  if (limit === undefined) faults.key_rate_limit = "This isn't a number and a time, such as 100/1m.";
  const caps = /** @type {const} */ (["concurrency", "key_concurrency"]);
  const [cap, capOfKeys] = caps.map((field) => typed[field].trim());
  for (const field of caps) if (!/^\d*$/.test(typed[field].trim())) faults[field] = "This isn't a number.";
  /** @type {[string, number][]} */
  const weights = [];
  for (const line of typed.fair_weights.split("\n").map((each) => each.trim()).filter(Boolean)) {
    // The key may have a "=" in it.
    const [, key, weight] = /^(.+)=\s*(\d+)$/.exec(line) ?? [];
    if (key) weights.push([key.trim(), Number(weight)]);
    else faults.fair_weights ??= `"${line}" isn't a key and its number, such as tenant-7=3.`;
  }
  if (Object.keys(faults).length) return { faults };
  const number = (/** @type {string} */ text) => (text ? Number(text) : null);
  return { set: { concurrency: number(cap), ageing: typed.ageing.trim() || null, key_rate_limit: limit, key_concurrency: number(capOfKeys), fair_weights: Object.fromEntries(weights) }, faults };
}

/** Null: none. Undefined: no limit that one could understand. @param {string} text @param {string} shown @param {any} rule */
function rateOf(text, shown, rule) {
  if (text.trim() === "") return null;
  if (text === shown && rule) return written(rule);
  const [, limit, per] = /^\s*(\d+)\s*(?:\/|per\b)\s*(\S.*?)\s*$/.exec(text) ?? [];
  return limit ? { ...(rule ? written(rule) : {}), limit: Number(limit), per } : undefined;
}

/** A limit as it is shown, without what the API adds. @param {any} rule */
export function written(rule) {
  return Object.fromEntries(RULE.map((field) => [field, rule[field]]));
}

/** All settings of a queue with those of its keys changed. A timeout of null is not the same as none.
 * @param {any} queue @param {any} rule the queue's own limit @param {Record<string, unknown>} set @param {number} version */
export function bodyOf(queue, rule, set, version) {
  const kept = Object.fromEntries(KEPT.filter((field) => field in queue).map((field) => [field, queue[field]]));
  return JSON.stringify({ ...kept, ...(rule && { rate_limit: written(rule) }), ...set, version });
}

/** What the server finds wrong, by field. @param {Problem} problem @param {string} message @returns {Faults} */
export function faultsOf(problem, message) {
  /** @type {Faults} */
  const faults = {};
  for (const { pointer, detail } of problem.errors ?? []) {
    const [field, key] = pointer.replace(/^#?\//, "").split("/");
    if (field === "fair_weights") faults.fair_weights = key ? `${key.replaceAll("~1", "/").replaceAll("~0", "~")}: ${detail}` : detail;
    else if (field === "concurrency" || field === "ageing" || field === "key_rate_limit" || field === "key_concurrency") faults[field] = detail;
    else faults.form = detail;
  }
  return Object.keys(faults).length ? faults : { form: message };
}
