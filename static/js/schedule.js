// A schedule as text in a form, and as the API takes it. Its task's parts stay the texts they were: big integers stay exact.
import { compactJson, members, prettyText } from "./json.js";
import { notJson } from "./actions/act.js";

/** @typedef {{ name: string, kind: "cron" | "every", cron: string, every: string, timezone: string, catch_up: string, overlap: string, jitter: string,
 *   task: string, queue: string, args: string, kwargs: string, more: string }} Draft */

/** Fields of the form that the server may find fault with, by the last part of where it points. */
export const FIELDS = ["name", "cron", "every", "timezone", "catch_up", "overlap", "jitter", "queue", "args", "kwargs"];
const OWN = ["name", "queue", "args", "kwargs"];

/** @type {Draft} */
export const NEW = {
  name: "", kind: "cron", cron: "*/5 * * * *", every: "30s", timezone: "UTC", catch_up: "one", overlap: "allow", jitter: "",
  task: "", queue: "default", args: "[]", kwargs: "{}", more: "{}",
};

/** @param {Schedule} schedule @param {string} text the same as it was sent @returns {Draft} */
export function draftOf(schedule, text) {
  const task = members(members(text).get("task") ?? "{}");
  const rest = [...task].filter(([key]) => !OWN.includes(key)).map(([key, value]) => `${JSON.stringify(key)}:${value}`);
  return {
    name: schedule.name, kind: schedule.every ? "every" : "cron", cron: schedule.cron ?? NEW.cron, every: schedule.every ?? NEW.every,
    timezone: schedule.timezone ?? "UTC", catch_up: schedule.catch_up, overlap: schedule.overlap, jitter: schedule.jitter ?? "",
    task: schedule.task.name, queue: schedule.task.queue, args: prettyText(task.get("args") ?? "[]"), kwargs: prettyText(task.get("kwargs") ?? "{}"),
    more: prettyText(`{${rest.join(",")}}`),
  };
}

/** What no server is needed to find wrong. @param {Draft} draft @returns {Record<string, string>} */
export function check(draft) {
  return {
    ...(draft.name.trim() ? {} : { name: "A schedule needs a name." }),
    ...(draft.task.trim() ? {} : { task: "Its task needs a name." }),
    ...notJson("args", draft.args, "["), ...notJson("kwargs", draft.kwargs, "{"), ...notJson("more", draft.more, "{"),
  };
}

/** When it ticks, as the API takes it. @param {Draft} draft */
export function ruleOf({ kind, cron, every, timezone, jitter }) {
  return { ...(kind === "cron" ? { cron, ...(timezone.trim() && { timezone: timezone.trim() }) } : { every }), ...(jitter.trim() && { jitter: jitter.trim() }) };
}

/** All of it, as JSON text. @param {Draft} draft @param {{ version?: number, enabled?: boolean }} more */
export function bodyOf(draft, more) {
  const { catch_up, overlap } = draft;
  const head = JSON.stringify({ ...ruleOf(draft), catch_up, overlap, ...more });
  const parts = [`"name":${JSON.stringify(draft.task.trim())}`, `"queue":${JSON.stringify(draft.queue.trim() || "default")}`, `"args":${compactJson(draft.args)}`, `"kwargs":${compactJson(draft.kwargs)}`];
  for (const [key, value] of members(draft.more)) if (!OWN.includes(key)) parts.push(`${JSON.stringify(key)}:${value}`);
  return `${head.slice(0, -1)},"task":{${parts.join(",")}}}`;
}
