// What a cron expression means, in words. What it can't say plainly it leaves to the expression itself.

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS = ["", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
/** @type {Record<string, string>} */
const NAMED = { "@hourly": "every hour", "@daily": "every day at 00:00", "@midnight": "every day at 00:00", "@weekly": "every Sunday at 00:00", "@monthly": "on day 1 of every month at 00:00", "@yearly": "on 1 January at 00:00", "@annually": "on 1 January at 00:00" };
/** @type {Record<string, string>} */
const LENGTHS = { s: "second", m: "minute", h: "hour", d: "day", ms: "millisecond" };

/** When a schedule ticks, in words; null where only its expression says it. @param {{ cron?: string | null, every?: string | null }} schedule */
export function inWords({ cron, every }) {
  if (every) return everyInWords(every);
  return cron ? cronInWords(cron.trim()) : null;
}

/** @param {string} text */
function everyInWords(text) {
  const [, n, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (!unit) return `every ${text}`;
  return n === "1" ? `every ${LENGTHS[unit]}` : `every ${n} ${LENGTHS[unit]}s`;
}

/** @param {string} cron */
function cronInWords(cron) {
  if (cron.startsWith("@")) return NAMED[cron] ?? null;
  const fields = cron.split(/\s+/);
  if (fields.length === 6 && fields[0] === "0") fields.shift();
  if (fields.length !== 5) return fields.length === 6 ? bySeconds(fields) : null;
  const [minute, hour, day, month, weekday] = fields;
  const time = timeOf(minute, hour);
  const days = daysOf(day, month, weekday);
  if (!time || days === null) return null;
  if (time.repeats) return days ? `${time.text}, ${days}` : time.text;
  return `${days || "every day"} ${time.text}`;
}

/** @param {string[]} fields */
function bySeconds([second, ...rest]) {
  const [, step] = /^\*\/(\d+)$/.exec(second) ?? [];
  if (rest.some((field) => field !== "*")) return null;
  return second === "*" ? "every second" : step ? `every ${step} seconds` : null;
}

/** @param {string} minute @param {string} hour @returns {{ text: string, repeats: boolean } | null} */
function timeOf(minute, hour) {
  const [, step] = /^\*\/(\d+)$/.exec(minute) ?? [];
  const [, hours] = /^\*\/(\d+)$/.exec(hour) ?? [];
  const between = /^(\d+)-(\d+)$/.exec(hour);
  const within = between ? `, from ${pad(between[1])}:00 to ${pad(between[2])}:59` : "";
  if ((minute === "*" || step) && (hour === "*" || between)) return { text: `${step && step !== "1" ? `every ${step} minutes` : "every minute"}${within}`, repeats: true };
  if (!isNumber(minute)) return null;
  const past = minute === "0" ? "" : ` at minute ${minute}`;
  if (hour === "*" || between) return { text: `every hour${past}${within}`, repeats: true };
  if (hours) return { text: `every ${hours} hours${past}`, repeats: true };
  const each = hour.split(",");
  return each.every(isNumber) ? { text: `at ${listed(each.map((one) => `${pad(one)}:${pad(minute)}`))}`, repeats: false } : null;
}

/** Empty: every day. Null: it can't be said plainly. @param {string} day @param {string} month @param {string} weekday */
function daysOf(day, month, weekday) {
  const months = month === "*" ? "" : named(month, MONTHS, 1);
  if (months === null || (day !== "*" && weekday !== "*")) return null;
  if (weekday !== "*") {
    const days = weekdays(weekday);
    return days && `${days}${months && ` in ${months}`}`;
  }
  if (day === "*") return months ? `every day in ${months}` : "";
  const which = day === "L" ? "the last day" : day.split(",").every(isNumber) ? `day ${listed(day.split(","))}` : null;
  if (!which) return null;
  return months ? `on ${which} of ${months}` : `on ${which} of every month`;
}

/** @param {string} text */
function weekdays(text) {
  const short = text.toUpperCase();
  if (short === "MON-FRI" || short === "1-5") return "on weekdays";
  if (short === "SAT,SUN" || short === "6,0" || short === "0,6" || short === "6-7") return "at weekends";
  const days = named(text, DAYS, 0);
  return days && `every ${days}`;
}

/** @param {string} text @param {string[]} names @param {number} from */
function named(text, names, from) {
  const name = (/** @type {string} */ one) => {
    const index = isNumber(one) ? Number(one) : names.findIndex((each, at) => at >= from && each.slice(0, 3).toUpperCase() === one.toUpperCase());
    return index >= from && index < names.length ? names[index] : null;
  };
  const range = /^(\w+)-(\w+)$/.exec(text);
  const each = range ? [range[1], range[2]] : text.split(",");
  const found = each.map(name);
  if (found.some((one) => !one)) return null;
  return range ? `${found[0]} to ${found[1]}` : listed(/** @type {string[]} */ (found));
}

/** @param {string[]} words */
function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** @param {string} text */
function isNumber(text) {
  return /^\d+$/.test(text);
}

/** @param {string} text */
function pad(text) {
  return text.padStart(2, "0");
}
