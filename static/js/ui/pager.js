// Pages by keyset: newer and older, no numbers, as none stays true while tasks arrive.
import { Icon } from "./icon.js";
import { href, route } from "../router.js";
import { html } from "../../vendor/preact.js";

/** @param {{ path: string, page: Page<unknown> | null, stale: boolean }} props */
export function Pager({ path, page, stale }) {
  const { query } = route.value;
  const link = (/** @type {string | null | undefined} */ cursor, /** @type {unknown} */ inside) => (cursor && !stale
    ? html`<a class="button" href=${href(path, query, { cursor })}>${inside}</a>`
    : html`<span class="button off" aria-disabled="true">${inside}</span>`);
  if (!page?.next_cursor && !page?.prev_cursor && !query.get("cursor")) return null;
  return html`<nav class="pager" aria-label="Newer and older">
    ${query.get("cursor") && html`<a class="button" href=${href(path, query, { cursor: null })}>Newest</a>`}
    ${link(page?.prev_cursor, html`<${Icon} name="newer" />Newer`)}
    ${link(page?.next_cursor, html`Older<${Icon} name="older" />`)}
  </nav>`;
}
