// Every error there can be: a problem's `type` leads here, to the entry of its code.
import { Prose } from "./schema.js";
import { html } from "../../vendor/preact.js";

/** @param {{ document: OpenApi }} props */
export function Errors({ document }) {
  const all = document["x-errors"];
  const statuses = [...new Set(all.map((error) => error.status))];
  return html`<header class="head"><div><h1>Errors</h1>
      <p class="intro">Every error is a problem document (RFC 9457). Its <code>code</code> is stable and one of these; <code>detail</code> says what it was this time,
      and <code>errors</code> each part of the request that is wrong. The <code>request_id</code> is in the server's log too.</p></div></header>
    ${statuses.map((status) => html`<section key=${status} class="errors" aria-labelledby=${`status-${status}`}>
      <h2 id=${`status-${status}`}>${status}</h2>
      <ul>${all.filter((error) => error.status === status).map(({ code, meaning, remedy }) => html`<li key=${code} id=${code}>
        <h3><a href=${`/docs/errors#${code}`}>${code}</a></h3><div><p><${Prose} text=${meaning} /></p><p class="muted"><${Prose} text=${remedy} /></p></div>
      </li>`)}</ul>
    </section>`)}`;
}
