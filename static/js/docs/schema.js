// Schemas as rows: a field, its type, what it is for.
import { description, fields, inner, limits, typeOf } from "./openapi.js";
import { html } from "../../vendor/preact.js";

/** A text of the document, with what stands in backticks as code. @param {{ text: string }} props */
export function Prose({ text }) {
  return text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));
}

/** @param {{ schema: Schema, document: OpenApi }} props */
export function Type({ schema, document }) {
  return html`<span class="type">${typeOf(schema, document).map(({ text, schema: name }) => (name ? html`<a href=${`/docs#schema-${name}`}>${text}</a>` : text))}</span>`;
}

/** The fields of an object; those of an object without a name stand below its own field. @param {{ schema: Schema, document: OpenApi }} props */
export function Fields({ schema, document }) {
  return html`<ul class="fields">${fields(schema, document).map((field) => {
    const below = inner(field.schema);
    return html`<li key=${field.name}>
      <p><code class="field-name">${field.name}</code>${field.required && html` <span class="required" title="Always there, or required">required</span>`} <${Type} schema=${field.schema} document=${document} /></p>
      <${Words} schema=${field.schema} />
      ${below && html`<${Fields} schema=${below} document=${document} />`}
    </li>`;
  })}</ul>`;
}

/** What a schema is for and how it is limited. @param {{ schema: Schema, text?: string }} props */
export function Words({ schema, text = description(schema) }) {
  const limit = said(text, limits(schema));
  if (!text && !limit) return null;
  const end = text && !/[.!?]$/.test(text) ? "." : "";
  return html`<p class="words"><${Prose} text=${text + end} />${limit && html` <span class="muted">${limit[0].toUpperCase() + limit.slice(1)}.</span>`}</p>`;
}

/** The limits, unless the text names them itself. @param {string} text @param {string} limit */
function said(text, limit) {
  return text.startsWith(limit) || text.includes(` ${limit}`) ? "" : limit;
}

/** A named schema. @param {{ name: string, document: OpenApi }} props */
export function NamedSchema({ name, document }) {
  const schema = document.components.schemas[name];
  const rows = fields(schema, document);
  return html`<article class="schema" id=${`schema-${name}`}>
    <h3>${name}</h3>
    <${Words} schema=${schema} />
    ${rows.length ? html`<${Fields} schema=${schema} document=${document} />` : html`<p><${Type} schema=${schema} document=${document} /></p>`}
  </article>`;
}
