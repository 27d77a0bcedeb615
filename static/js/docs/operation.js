// One operation: what it does, its form, what it answers.
import { fields } from "./openapi.js";
import { Fields, Prose, Type } from "./schema.js";
import { TryIt } from "./try-it.js";
import { html } from "../../vendor/preact.js";

/** @param {{ method: string }} props */
export function Method({ method }) {
  return html`<span class=${`method is-${method.toLowerCase()}`}>${method}</span>`;
}

/** @param {{ operation: import("./openapi.js").Operation, document: OpenApi }} props */
export function OperationView({ operation, document }) {
  const { operationId, method, path, summary, description } = operation;
  const answers = Object.entries(operation.responses);
  return html`<article class="operation" id=${operationId} aria-labelledby=${`${operationId}-title`}>
    <h3 id=${`${operationId}-title`}><a href=${`/docs#${operationId}`}>${summary}</a></h3>
    <p class="address"><${Method} method=${method} /><code>${path.split("/").map((part, index) => (index ? html`<wbr />/${part}` : part))}</code></p>
    ${description && html`<p><${Prose} text=${description} /></p>`}
    <${TryIt} operation=${operation} document=${document} />
    <h4>Answers</h4>
    <ul class="answers">${answers.map(([status, response], index) => html`<${Answer} key=${status} status=${status} response=${response} document=${document}
      shown=${answers.slice(0, index).some(([, earlier]) => same(earlier, response))} />`)}</ul>
  </article>`;
}

/** @typedef {OperationObject["responses"][string]} ResponseObject */

/** @param {ResponseObject} a @param {ResponseObject} b */
function same(a, b) {
  return JSON.stringify(a.content) === JSON.stringify(b.content);
}

/** `shown`: its fields were those of an answer above. @param {{ status: string, response: ResponseObject, document: OpenApi, shown: boolean }} props */
function Answer({ status, response, document, shown }) {
  const [[type, media] = ["", undefined]] = Object.entries(response.content ?? {});
  const schema = media?.schema;
  const isError = status === "default";
  return html`<li>
    <p class="line"><b class=${isError ? "late" : ""}>${isError ? "4xx, 5xx" : status}</b> ${response.description && html`<span>${response.description}</span>`}
      ${schema && html`<${Type} schema=${schema} document=${document} />`} ${type && type !== "application/json" && html`<span class="muted">${type}</span>`}
      ${isError && html`<a href="/docs/errors">All errors</a>`}</p>
    ${schema && !isError && !shown && fields(schema, document).length > 0 && html`<details><summary>Fields of the answer</summary><${Fields} schema=${schema} document=${document} /></details>`}
  </li>`;
}
