// The request an operation's form describes: as an address with headers, and as a curl command.
import { quote } from "../curl.js";
import { compactJson, prettyText } from "../json.js";

/** What is typed: parameters by place and name, and the body. @typedef {{ values: Record<string, string>, body: string }} Draft */
/** @typedef {{ method: string, url: string, headers: Record<string, string>, body?: string }} Request */

/** @param {Parameter} parameter */
export function keyOf(parameter) {
  return `${parameter.in}.${parameter.name}`;
}

/** The text a body's form starts with; null where the operation takes none. @param {OperationObject} operation */
export function exampleBody({ requestBody }) {
  if (!requestBody) return null;
  const [media] = Object.values(requestBody.content);
  return prettyText(JSON.stringify(media?.example ?? {}));
}

/** Parameters left empty are left out. @param {import("./openapi.js").Operation} operation @param {Draft} draft @returns {Request} */
export function requestOf(operation, { values, body }) {
  const query = new URLSearchParams();
  /** @type {Record<string, string>} */
  const headers = {};
  let { path } = operation;
  for (const parameter of operation.parameters ?? []) {
    const value = values[keyOf(parameter)] ?? "";
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, value ? encodeURIComponent(value) : `{${parameter.name}}`);
    else if (value && parameter.in === "query") query.set(parameter.name, value);
    else if (value) headers[parameter.name] = value;
  }
  const url = query.size ? `${path}?${query}` : path;
  if (!operation.requestBody || !body.trim()) return { method: operation.method, url, headers };
  return { method: operation.method, url, headers: { ...headers, "Content-Type": "application/json" }, body };
}

/** Names of path parameters that are still empty. @param {import("./openapi.js").Operation} operation @param {Draft} draft */
export function missing(operation, { values }) {
  return (operation.parameters ?? []).filter((parameter) => parameter.in === "path" && !values[keyOf(parameter)]).map((parameter) => parameter.name);
}

/** @param {Request} request @param {string} origin */
export function curlOf({ method, url, headers, body }, origin) {
  const parts = ["curl", ...(method === "GET" || (method === "POST" && body !== undefined) ? [] : ["-X", method]), quote(origin + url)];
  for (const [name, value] of Object.entries(headers)) parts.push("-H", quote(`${name}: ${value}`));
  if (body !== undefined) parts.push("-d", quote(oneLine(body)));
  return parts.join(" ");
}

/** @param {string} body */
function oneLine(body) {
  try {
    return compactJson(body);
  } catch {
    return body;
  }
}
