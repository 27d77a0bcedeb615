// What the dashboard imports from its libraries, in one module: bundled by vendor.sh into static/vendor/preact.js.
import htm from "htm";
import { h } from "preact";

export { render } from "preact";
export { useEffect, useRef } from "preact/hooks";
export { batch, computed, effect, signal, useComputed, useSignal } from "@preact/signals";
export const html = htm.bind(h);
