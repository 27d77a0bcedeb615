// What an operator sets for a queue: as text in a form, and as the API takes it, which replaces all of it at once.

/** The fields of the form. @typedef {"weight" | "concurrency" | "at_cap" | "max_depth" | "rate_limit" | "ageing" | "max_retries" | "timeout" | "max_age" |
 *   "keep_success" | "keep_others" | "key_rate_limit" | "key_concurrency" | "fair_weights"} Name */
/** As text. @typedef {Record<Name, string>} Typed */
/** What is wrong, by field. @typedef {Partial<Record<Name | "form", string>>} Faults */
/** The limits as they are set now: of what is not said anew all stays. @typedef {{ own: any, ofKeys: any }} Rules */

/** Settings that the form does not have, and so have to be sent along. */
const KEPT = ["paused", "retry"];
const RULE = ["limit", "per", "by", "algorithm", "burst", "enabled"];
/** @type {Name[]} */
const NUMBERS = ["weight", "concurrency", "max_depth", "max_retries", "key_concurrency"];
/** @type {Name[]} */
const SPANS = ["ageing", "max_age", "keep_success", "keep_others"];

/** @param {Queue} queue @returns {Typed} */
export function textOf(queue) {
  const text = (/** @type {string | number | null | undefined} */ value) => (value === null || value === undefined ? "" : String(value));
  return {
    weight: text(queue.weight), concurrency: text(queue.concurrency), at_cap: queue.at_cap ?? "wait", max_depth: text(queue.max_depth),
    rate_limit: text(queue.rate_limit), ageing: text(queue.ageing), max_retries: text(queue.max_retries),
    timeout: queue.timeout === null ? "none" : text(queue.timeout), max_age: text(queue.max_age),
    keep_success: text(queue.retention?.success), keep_others: text(queue.retention?.others),
    key_rate_limit: text(queue.key_rate_limit), key_concurrency: text(queue.key_concurrency),
    fair_weights: Object.entries(queue.fair_weights ?? {}).map(([key, weight]) => `${key}=${weight}`).join("\n"),
  };
}

/** What is set by what was typed. @param {Typed} typed @param {Typed} shown as it was shown @param {Rules} rules @returns {{ set?: Record<string, unknown>, faults: Faults }} */
export function parse(typed, shown, rules) {
  /** @type {Faults} */
  const faults = {};
  const own = rateOf(typed.rate_limit, shown.rate_limit, rules.own);
  if (own === undefined) faults.rate_limit = "This isn't a number and a time, such as 100/1m.";
  const ofKeys = rateOf(typed.key_rate_limit, shown.key_rate_limit, rules.ofKeys);
  if (ofKeys === undefined) faults.key_rate_limit = "This isn't a number and a time, such as 100/1m.";
  for (const name of NUMBERS) if (!/^\d*$/.test(typed[name].trim())) faults[name] = "This isn't a number.";
  /** @type {[string, number][]} */
  const weights = [];
  for (const line of typed.fair_weights.split("\n").map((each) => each.trim()).filter(Boolean)) {
    // The key may have a "=" in it.
    const [, key, weight] = /^(.+)=\s*(\d+)$/.exec(line) ?? [];
    if (key) weights.push([key.trim(), Number(weight)]);
    else faults.fair_weights ??= `"${line}" isn't a key and its number, such as tenant-7=3.`;
  }
  if (Object.keys(faults).length) return { faults };
  const number = (/** @type {Name} */ name) => (typed[name].trim() ? Number(typed[name]) : null);
  const span = (/** @type {Name} */ name) => typed[name].trim() || null;
  const timeout = typed.timeout.trim();
  return { faults, set: {
    ...Object.fromEntries(NUMBERS.map((name) => [name, number(name)])), ageing: span("ageing"), max_age: span("max_age"), at_cap: typed.at_cap,
    // None is not the same as nothing said.
    ...(timeout && { timeout: timeout === "none" ? null : timeout }),
    retention: { success: span("keep_success"), others: span("keep_others") },
    rate_limit: own, key_rate_limit: ofKeys, fair_weights: Object.fromEntries(weights),
  } };
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

/** All settings of a queue: those set, and what the form does not have. @param {any} queue @param {Record<string, unknown>} set @param {number} version */
export function bodyOf(queue, set, version) {
  const kept = KEPT.filter((field) => queue[field] !== undefined && queue[field] !== null).map((field) => [field, queue[field]]);
  return JSON.stringify({ ...Object.fromEntries(kept), ...set, version });
}

/** What the server finds wrong, by field. @param {Problem} problem @param {string} message @returns {Faults} */
export function faultsOf(problem, message) {
  /** @type {Faults} */
  const faults = {};
  for (const { pointer, detail } of problem.errors ?? []) {
    const [field, key] = pointer.replace(/^#?\//, "").split("/");
    const name = field === "retention" ? `keep_${key}` : field;
    if (name === "fair_weights") faults.fair_weights = key ? `${key.replaceAll("~1", "/").replaceAll("~0", "~")}: ${detail}` : detail;
    else if ([...NUMBERS, ...SPANS, "at_cap", "timeout", "rate_limit", "key_rate_limit"].includes(name)) faults[/** @type {Name} */ (name)] = detail;
    else faults.form = detail;
  }
  return Object.keys(faults).length ? faults : { form: message };
}
