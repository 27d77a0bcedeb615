// A table that becomes one block per row on narrow screens. Its roles are spelt out, as CSS display would drop them.
import { html } from "../../vendor/preact.js";

/** `main`: the column with the row's link · `act`: the one with its buttons
 * @typedef {{ label: string, cell: (row: any) => unknown, num?: boolean, main?: boolean, act?: boolean }} Column */

/** Its rows are reached by j and k. @param {{ label: string, columns: Column[], rows: any[], id: (row: any) => string }} props */
export function Table({ label, columns, rows, id }) {
  return html`<div class="table" role="table" aria-label=${label}>
    <div class="tr th" role="row">
      ${columns.map((column) => html`<span role="columnheader" class=${kind(column)}>${column.act ? html`<span class="sr">${column.label}</span>` : column.label}</span>`)}
    </div>
    ${rows.map((row) => html`<div class="tr" role="row" data-row key=${id(row)}>
      ${columns.map((column) => html`<div role="cell" class=${kind(column)} data-label=${column.num ? column.label : undefined}>${column.cell(row)}</div>`)}
    </div>`)}
  </div>`;
}

/** @param {Column} column */
function kind({ num, main, act }) {
  return num ? "num" : main ? "main" : act ? "act" : undefined;
}
