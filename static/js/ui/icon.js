// Icons: strokes on a 16 × 16 grid, drawn in the text's colour. Always beside a word or with a label on the button.
import { html } from "../../vendor/preact.js";

const RING = "M8 2a6 6 0 1 1 0 12A6 6 0 1 1 8 2";
/** @type {Record<string, string>} */
const PATHS = {
  // statuses
  pending: "M3 8h.01M8 8h.01M13 8h.01",
  scheduled: `${RING}M8 4.8V8l2.2 1.4`,
  queued: "M3 4h10M3 8h10M3 12h6",
  running: "M5 3.2v9.6L12.6 8z",
  retry: "M12.9 9.5A5.2 5.2 0 1 1 11.7 4.3L13.3 6M13.4 2.6V6h-3.4",
  success: "M3 8.6l3.4 3.4L13 4.6",
  failed: "M4 4l8 8M12 4l-8 8",
  timeout: "M4 2.3h8M4 13.7h8M5 2.3v2.9L8 8l3-2.8V2.3M5 13.7v-2.9L8 8l3 2.8v2.9",
  cancelled: `${RING}M3.8 3.8l8.4 8.4`,
  expired: `${RING}M5 8h6`,
  skipped: "M3.5 3.8L9 8l-5.5 4.2zM12 3.8v8.4",
  // everything else
  minus: "M3 8h10",
  download: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.5h10",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  flow: "M2.5 6h3v4h-3zM10.5 2.5h3v4h-3zM10.5 9.5h3v4h-3zM5.5 8h2.5V4.5h2.5M8 8v3.5h2.5",
  resume: "M5 3.2v9.6L12.6 8z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  warn: "M8 2.2l6.4 11.3H1.6zM8 6.6v3M8 11.4v.01",
  info: `${RING}M8 7.4V11M8 5v.01`,
  plus: "M8 3v10M3 8h10",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 1 1 0-9M10.3 10.3l3.4 3.4",
  help: `${RING}M6.2 6.3a1.8 1.8 0 1 1 2.6 1.8c-.6.3-.8.6-.8 1.2M8 11.4v.01`,
  light: "M8 5a3 3 0 1 1 0 6 3 3 0 1 1 0-6M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7",
  dark: "M13.2 9.8A5.6 5.6 0 0 1 6.2 2.8a5.6 5.6 0 1 0 7 7z",
  system: "M2 3h12v8H2zM6 13.5h4M8 11v2.5",
  inbox: "M2.5 9.5L4.5 3h7l2 6.5V13h-11zM2.5 9.5H6l.8 1.5h2.4L10 9.5h3.5",
  edit: "M3 13l.6-2.8L10.8 3a1.4 1.4 0 0 1 2.2 2.2L5.8 12.4z",
  trash: "M3 4.5h10M6.2 4.5v-2h3.6v2M4.4 4.5l.6 9h6l.6-9M6.8 7v4M9.2 7v4",
  close: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  older: "M6 3.5L10.5 8 6 12.5",
  newer: "M10 3.5L5.5 8 10 12.5",
  logo: "M2.5 4h7M2.5 8h11M2.5 12h5M12 2.5v3M12 10.5v3",
};

/** An icon's path, for where there is an SVG already. @param {string} name */
export function pathOf(name) {
  return PATHS[name] ?? PATHS.info;
}

/** @param {{ name: string }} props */
export function Icon({ name }) {
  return html`<svg class=${`icon icon-${name}`} viewBox="0 0 16 16" aria-hidden="true"><path d=${pathOf(name)} /></svg>`;
}
