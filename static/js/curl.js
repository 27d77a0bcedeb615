// The command line that does what a button does.
import { API } from "./api.js";
import { compactJson } from "./json.js";

/** A word for a POSIX shell. @param {string} text */
export function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {string} body JSON text @param {string} origin */
export function submitCurl(body, origin) {
  return `curl -X POST ${origin}${API}/tasks -H 'Content-Type: application/json' -d ${quote(compactJson(body))}`;
}

/** A body for POST /tasks: `args` and `kwargs` are JSON texts, put in untouched so that big integers stay exact.
 * @param {{ args?: string, kwargs?: string, [field: string]: string | number | string[] | null | undefined }} fields */
export function submitBody({ args, kwargs, ...fields }) {
  const parts = Object.entries(fields).filter(([, value]) => value !== undefined && value !== "" && value !== null)
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  if (args && compactJson(args) !== "[]") parts.push(`"args":${compactJson(args)}`);
  if (kwargs && compactJson(kwargs) !== "{}") parts.push(`"kwargs":${compactJson(kwargs)}`);
  return `{${parts.join(",")}}`;
}
