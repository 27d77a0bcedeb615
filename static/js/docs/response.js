// What came back: status, time, headers and body. A stream shows as it comes.
import { Json } from "../ui/json.js";
import { html } from "../../vendor/preact.js";

/** `status` 0: no answer. @typedef {{ status: number, reason: string, ms: number, headers: [string, string][], text: string, done: boolean }} Reply */

const MOST = 200_000;

/** Sends; calls `tell` with what is there so far, each time more is. @param {import("./request.js").Request} request
 * @param {AbortSignal} signal @param {(reply: Reply) => void} tell */
export async function send({ method, url, headers, body }, signal, tell) {
  const began = performance.now();
  /** @type {Reply} */
  let reply = { status: 0, reason: "", ms: 0, headers: [], text: "", done: false };
  const say = (/** @type {Partial<Reply>} */ news) => tell(reply = { ...reply, ms: performance.now() - began, ...news });
  try {
    const response = await fetch(url, { method, headers, body, cache: "no-store", signal });
    say({ status: response.status, reason: response.statusText, headers: [...response.headers] });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader?.read(); piece && !piece.done && reply.text.length < MOST; piece = await reader?.read()) {
      say({ text: reply.text + piece.value });
    }
    say({ done: true });
  } catch {
    say({ done: true, reason: reply.status ? reply.reason : signal.aborted ? "Stopped" : "No answer: is the server running?" });
  }
}

/** @param {{ reply: Reply }} props */
export function Response({ reply: { status, reason, ms, headers, text, done } }) {
  const type = headers.find(([name]) => name === "content-type")?.[1] ?? "";
  const code = status >= 400 && type.includes("problem+json") ? codeOf(text) : "";
  return html`<section class="reply" aria-live="polite" aria-label="Answer">
    <p class="line"><span class=${`pill is-${!status || status >= 400 ? "failed" : "ok"}`} data-status=${status}>${status || "–"} ${reason}</span>
      <span class="muted">${Math.round(ms)} ms${done ? "" : ", still coming"}</span>
      ${code && html`<a href=${`/docs/errors#${code}`}>What ${code} means</a>`}</p>
    ${headers.length > 0 && html`<details><summary>${headers.length} headers</summary><dl class="headers">
      ${headers.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></details>`}
    ${text && html`<${Json} text=${text} label="the body" />`}
  </section>`;
}

/** @param {string} text */
function codeOf(text) {
  try {
    return String(JSON.parse(text).code ?? "");
  } catch {
    return "";
  }
}
