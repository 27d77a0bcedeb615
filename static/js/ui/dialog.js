// The one dialog of the page: what it shows is a component, which is given `close`.
import { html, signal, useEffect, useRef } from "../../vendor/preact.js";

/** @typedef {{ view: (props: any) => unknown, props: Record<string, unknown> }} Content */
/** @type {import("../../vendor/preact.js").Signal<Content | null>} */
const shown = signal(null);

/** Its heading has the id `dialog-title`. @param {(props: any) => unknown} view @param {Record<string, unknown>} [props] */
export function openDialog(view, props = {}) {
  shown.value = { view, props };
}

export function Dialog() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const content = shown.value;
  useEffect(() => { if (content && !dialog.current?.open) dialog.current?.showModal(); }, [content]);
  const close = () => dialog.current?.close();
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${() => { shown.value = null; }}>
    ${content && html`<${content.view} ...${content.props} close=${close} />`}
  </dialog>`;
}
