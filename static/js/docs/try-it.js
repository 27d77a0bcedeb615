// An operation's form: its parameters and body with a field each, the curl they make, and what the server answers.
import { description } from "./openapi.js";
import { curlOf, exampleBody, keyOf, missing, requestOf } from "./request.js";
import { Response, send } from "./response.js";
import { Fields, Type, Words } from "./schema.js";
import { Command } from "../ui/copy.js";
import { Icon } from "../ui/icon.js";
import { html, useSignal } from "../../vendor/preact.js";

/** @typedef {import("./openapi.js").Operation} Operation */

/** @param {{ operation: Operation, document: OpenApi }} props */
export function TryIt({ operation, document: openapi }) {
  const draft = useSignal({ values: /** @type {Record<string, string>} */ ({}), body: exampleBody(operation) ?? "" });
  const reply = useSignal(/** @type {import("./response.js").Reply | null} */ (null));
  const running = useSignal(/** @type {AbortController | null} */ (null));
  const empty = missing(operation, draft.value);
  const onSubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const first = missing(operation, draft.value)[0];
    if (first) return document.getElementById(fieldId(operation, `path.${first}`))?.focus();
    const abort = new AbortController();
    running.value = abort;
    await send(requestOf(operation, draft.value), abort.signal, (news) => { reply.value = news; });
    running.value = null;
  };
  const set = (/** @type {string} */ key, /** @type {string} */ value) => { draft.value = { ...draft.value, values: { ...draft.value.values, [key]: value } }; };
  // Keys: were the two one element, the click that stops would find it a button that sends, and send again.
  return html`<form onSubmit=${onSubmit} novalidate>
    <${Parameters} operation=${operation} document=${openapi} values=${draft.value.values} set=${set} />
    ${operation.requestBody && html`<${Body} operation=${operation} document=${openapi} text=${draft.value.body}
      set=${(/** @type {string} */ body) => { draft.value = { ...draft.value, body }; }} />`}
    <${Command} text=${curlOf(requestOf(operation, draft.value), location.origin)} />
    <p class="line send">${running.value
      ? html`<button key="stop" type="button" onClick=${() => running.value?.abort()}><${Icon} name="cancelled" />Stop</button>`
      : html`<button key="send" class=${operation.method === "GET" ? "" : "primary"}><${Icon} name="running" />Send</button>`}
      <span class="muted">${empty.length ? `Needs ${empty.join(" and ")}` : operation.method === "GET" ? "" : "This acts on the running server"}</span></p>
  </form>
  ${reply.value && html`<${Response} reply=${reply.value} />`}`;
}

/** @param {Operation} operation @param {string} key */
function fieldId({ operationId }, key) {
  return `${operationId}.${key}`;
}

/** @param {{ operation: Operation, document: OpenApi, values: Record<string, string>, set: (key: string, value: string) => void }} props */
function Parameters({ operation, document, values, set }) {
  if (!operation.parameters?.length) return null;
  return html`<h4>Parameters</h4><ul class="fields parameters">${operation.parameters.map((parameter) => {
    const key = keyOf(parameter);
    const id = fieldId(operation, key);
    return html`<li key=${key}>
      <div><p><label for=${id}><code class="field-name">${parameter.name}</code></label>${parameter.required && html` <span class="required">required</span>`}${" "}
        <span class="place">${parameter.in}</span> <${Type} schema=${parameter.schema} document=${document} /></p>
        <${Words} schema=${parameter.schema} text=${parameter.description ?? description(parameter.schema)} /></div>
      <input id=${id} name=${key} value=${values[key] ?? ""} autocomplete="off" spellcheck=${false} placeholder=${parameter.example ?? ""}
        onInput=${(/** @type {any} */ event) => set(key, event.target.value)} />
    </li>`;
  })}</ul>`;
}

/** @param {{ operation: Operation, document: OpenApi, text: string, set: (text: string) => void }} props */
function Body({ operation, document, text, set }) {
  const schema = Object.values(operation.requestBody?.content ?? {})[0]?.schema ?? {};
  const id = fieldId(operation, "body");
  return html`<h4><label for=${id}>Body</label> <${Type} schema=${schema} document=${document} /></h4>
    <textarea id=${id} name="body" rows=${Math.min(12, text.split("\n").length + 1)} spellcheck=${false} value=${text}
      onInput=${(/** @type {any} */ event) => set(event.target.value)}></textarea>
    <details><summary>Fields of the body</summary><${Fields} schema=${schema} document=${document} /></details>`;
}
