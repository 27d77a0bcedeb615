// Numbers, times and names as text. Pure functions: everything here is tested without a browser.

const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

/** 1234 → "1.2k". Exact below 1000; callers put `exact(n)` in the title. @param {number} n */
export function compact(n) {
  if (n < 1000) return String(n);
  const [size, letter] = n < 999_950 ? [1e3, "k"] : n < 999_950_000 ? [1e6, "m"] : [1e9, "b"];
  const scaled = n / Number(size);
  return `${scaled < 99.95 ? scaled.toFixed(1).replace(/\.0$/, "") : Math.round(scaled)}${letter}`;
}

/** 1234567 → "1 234 567" (narrow no-break spaces). @param {number} n */
export function exact(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** @param {number} n @param {string} word @param {string} [words] */
export function plural(n, word, words = `${word}s`) {
  return `${exact(n)} ${n === 1 ? word : words}`;
}

/** A span of milliseconds in at most two units: "850 ms", "1.4 s", "3 min 4 s", "2 d 5 h". @param {number} ms */
export function duration(ms) {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  let rest = Math.round(ms / 1000);
  const parts = [];
  for (const [unit, size] of /** @type {[string, number][]} */ (UNITS)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count || parts.length) parts.push(count ? `${count} ${unit}` : "");
    if (parts.length === 2) break;
  }
  return parts.filter(Boolean).join(" ");
}

/** A span still growing, in whole seconds, so that it doesn't flicker. @param {number} ms */
export function elapsed(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return seconds < 60 ? `${seconds} s` : duration(seconds * 1000);
}

/** How long ago, or in how long, in one unit: "just now", "12 s ago", "in 4 min". @param {number} then @param {number} now */
export function relative(then, now) {
  const seconds = Math.round((now - then) / 1000);
  const size = Math.abs(seconds);
  if (size < 2) return "just now";
  const [unit, length] = /** @type {[string, number]} */ (UNITS.find(([, each]) => size >= Number(each)));
  const count = Math.floor(size / length);
  return seconds > 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
}

/** The time in a zone, and in UTC: for titles beside a relative time. @param {string} iso @param {string} [zone] "local", "UTC" or an IANA name */
export function absolute(iso, zone = "local") {
  const date = new Date(iso);
  const there = date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium", timeZone: zoneOf(zone) });
  const utc = date.toISOString().replace("T", " ");
  return zone === "UTC" ? utc : `${there} ${zone === "local" ? "local time" : zone} · ${utc}`;
}

/** The clock time, with the date when it isn't today's. @param {string} iso @param {number} now @param {string} [zone] */
export function clock(iso, now, zone = "local") {
  const date = new Date(iso);
  const timeZone = zoneOf(zone);
  const time = date.toLocaleTimeString(undefined, { hourCycle: "h23", timeZone });
  const day = (/** @type {Date} */ of) => of.toLocaleDateString(undefined, { timeZone });
  return day(date) === day(new Date(now)) ? time : `${day(date)} ${time}`;
}

/** The same without seconds where it isn't today, for a column. @param {string} iso @param {number} now @param {string} [zone] */
export function brief(iso, now, zone = "local") {
  const date = new Date(iso);
  const timeZone = zoneOf(zone);
  const day = (/** @type {Date} */ of) => of.toLocaleDateString(undefined, { timeZone });
  if (day(date) === day(new Date(now))) return date.toLocaleTimeString(undefined, { hourCycle: "h23", timeZone });
  return date.toLocaleString(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });
}

/** @param {string} zone */
function zoneOf(zone) {
  return zone === "local" ? undefined : zone;
}

/** The end of a UUIDv7: its start is the time, the same for tasks submitted together. @param {string} id */
export function shortId(id) {
  return id.length > 12 ? `…${id.slice(-8)}` : id;
}

/** Text a user wrote, with controls and what overrides the reading direction as escapes: "gnp.exe" must not read "exe.png".
 * @param {string} text */
export function untrusted(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (char) =>
    `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** @param {number} priority 0..9 */
export function priorityClass(priority) {
  return priority >= 7 ? "high" : priority >= 4 ? "medium" : "low";
}

/** A rate per second, with as many digits as mean something. @param {number} perSecond */
export function rate(perSecond) {
  return perSecond >= 100 ? compact(Math.round(perSecond)) : perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toFixed(1);
}

/** Bytes as MiB and the like. @param {number} n */
export function bytes(n) {
  const [size, unit] = n >= 2 ** 30 ? [2 ** 30, "GiB"] : n >= 2 ** 20 ? [2 ** 20, "MiB"] : [2 ** 10, "KiB"];
  return `${(n / size).toFixed(n / size < 10 ? 1 : 0)} ${unit}`;
}
