// Requests to the REST API. Keeps each answer's text beside its value, as only the text has numbers exactly.
import { signal } from "../vendor/preact.js";

export const API = "/api/v1";
const TIMEOUT_MS = 15_000;

/** False from a request that got no answer until the next that gets one. */
export const online = signal(true);

/** The server wants a key and has none from here, or none that is good any more. */
export const unauthorized = signal(false);

/** An answer that isn't a success, or none: `status` is 0 when the server couldn't be reached. */
export class ApiError extends Error {
  /** @param {number} status @param {Problem} problem */
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `the server answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** @typedef {{ data: any, text: string }} Answer */

/** GET below API. @param {string} path @returns {Promise<Answer>} */
export function get(path) {
  return request("GET", API + path);
}

/** POST below API; `body` is JSON text. @param {string} path @param {string} [body] @returns {Promise<Answer>} */
export function post(path, body = "{}") {
  return request("POST", API + path, body);
}

/** PUT below API; `body` is JSON text. @param {string} path @param {string} body @returns {Promise<Answer>} */
export function put(path, body) {
  return request("PUT", API + path, body);
}

/** DELETE below API. @param {string} path @returns {Promise<Answer>} */
export function remove(path) {
  return request("DELETE", API + path);
}

/** The health report, which is one even when the server answers 503. @returns {Promise<Answer>} */
export async function health() {
  try {
    return await request("GET", "/health");
  } catch (error) {
    if (error instanceof ApiError && "store" in error.problem) return { data: error.problem, text: "" };
    throw error;
  }
}

/** @param {string} method @param {string} url @param {string} [body] @returns {Promise<Answer>} */
async function request(method, url, body) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  let response, text;
  try {
    response = await fetch(url, { method, headers, body, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await response.text();
  } catch {
    online.value = false;
    throw new ApiError(0, { title: "Can't reach the server", detail: `${method} ${url} got no answer. Is jobqueue running?` });
  }
  online.value = true;
  if (response.status === 401) unauthorized.value = true;
  if (response.status === 204) return { data: null, text };
  const data = parse(text);
  if (!response.ok) throw new ApiError(response.status, isObject(data) ? data : { title: `The server answered ${response.status}` });
  if (data === undefined) throw new ApiError(response.status, { title: "The answer isn't JSON", detail: text.slice(0, 200) });
  return { data, text };
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null;
}
