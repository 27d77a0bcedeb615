// The reference: every operation under its tag, then the schemas.
import { anchor, groups } from "./openapi.js";
import { Method, OperationView } from "./operation.js";
import { NamedSchema, Prose } from "./schema.js";
import { html } from "../../vendor/preact.js";

/** @param {{ document: OpenApi }} props */
export function Reference({ document }) {
  const all = groups(document);
  const schemas = Object.keys(document.components.schemas);
  return html`<header class="head"><div><h1>API reference</h1>
      <p class="intro"><${Prose} text=${document.info.description ?? ""} /> What is tried here acts on this server.</p></div>
      <p class="actions"><a class="button" href="/openapi.json" download>openapi.json</a></p></header>
    <div class="with-rail">
      <${Contents} all=${all} />
      <div class="operations">
        ${all.map((group) => html`<section key=${group.name} aria-labelledby=${anchor(group.name)}>
          <header class="group"><h2 id=${anchor(group.name)}>${title(group.name)}</h2><p class="muted">${group.description}</p></header>
          ${group.operations.map((operation) => html`<${OperationView} key=${operation.operationId} operation=${operation} document=${document} />`)}
        </section>`)}
        <section aria-labelledby="schemas"><header class="group"><h2 id="schemas">Schemas</h2></header>
          ${schemas.map((name) => html`<${NamedSchema} key=${name} name=${name} document=${document} />`)}</section>
      </div>
    </div>`;
}

/** The rail, a menu on narrow screens. @param {{ all: import("./openapi.js").Group[] }} props */
function Contents({ all }) {
  return html`<nav class="rail contents" aria-label="Operations">
      ${all.map((group) => html`<div key=${group.name}><h2><a href=${`/docs#${anchor(group.name)}`}>${title(group.name)}</a></h2>
        ${group.operations.map(({ operationId, method, summary }) => html`<a key=${operationId} href=${`/docs#${operationId}`} title=${summary}><${Method} method=${method} /><span>${summary}</span></a>`)}</div>`)}
      <div><h2><a href="/docs#schemas">Schemas</a></h2></div>
    </nav>
    <label class="rail-menu"><span class="sr">Go to</span>
      <select onChange=${(/** @type {any} */ event) => { location.hash = event.target.value; }}>
        ${all.map((group) => html`<optgroup key=${group.name} label=${title(group.name)}>
          ${group.operations.map(({ operationId, method, summary }) => html`<option key=${operationId} value=${operationId}>${method} · ${summary}</option>`)}</optgroup>`)}
        <option value="schemas">Schemas</option>
      </select>
    </label>`;
}

/** @param {string} name */
function title(name) {
  return name[0].toUpperCase() + name.slice(1);
}
