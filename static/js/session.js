// Who uses the dashboard: a key once given, then a cookie that no script can read. The server decides; this only shows it.
import { ApiError, get, remove, post, unauthorized } from "./api.js";
import { signal } from "../vendor/preact.js";

/** Null until the server has said, or said that it wants a key. @type {import("../vendor/preact.js").Signal<Session | null>} */
export const session = signal(null);

/** What couldn't be asked, if it couldn't. @type {import("../vendor/preact.js").Signal<ApiError | null>} */
export const failure = signal(null);

/** Asks who this is; resolves once there is an answer. */
export async function load() {
  failure.value = null;
  try {
    session.value = (await get("/session")).data;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status !== 401) failure.value = error;
  }
}

/** Opens a session, or throws ApiError. @param {string} key */
export async function login(key) {
  session.value = (await post("/session", JSON.stringify({ key }))).data;
  unauthorized.value = false;
}

/** Ends the session, and with a fresh page all that was loaded in it. */
export async function logout() {
  await remove("/session");
  location.reload();
}

/** Whether the user may do what needs this scope. @param {"read" | "submit" | "operate" | "admin"} scope */
export function may(scope) {
  return session.value?.scopes.includes(scope) ?? false;
}
