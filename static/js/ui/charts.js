// Charts of a window up to now, of one queue or of all. Dragging over one leads to the tasks of that time.
import { CHARTS, DEFAULT_WINDOW, stacked, summary, topOf, WINDOWS } from "../charts.js";
import { go, href, route } from "../router.js";
import { useLive } from "../store.js";
import { ErrorNote } from "./bits.js";
import { Plot } from "./plot.js";
import { html } from "../../vendor/preact.js";

const EVERY_MS = { "5m": 5_000, "1h": 15_000, "24h": 60_000 };

/** The window of the address. */
export function chosenWindow() {
  const window = route.value.query.get("window") ?? "";
  return WINDOWS.includes(window) ? window : DEFAULT_WINDOW;
}

/** @param {{ path: string }} props */
export function WindowSwitch({ path }) {
  const chosen = chosenWindow();
  return html`<nav class="switch" aria-label="Window">${WINDOWS.map((each) => html`<a key=${each} aria-current=${each === chosen ? "true" : undefined}
    href=${href(path, route.value.query, { window: each === DEFAULT_WINDOW ? null : each })}>${each}</a>`)}</nav>`;
}

/** `only`: ids of the charts, all if not given. @param {{ path: string, queue?: string, only?: string[], bare?: boolean, window?: string }} props */
export function Charts({ path, queue, only, bare = false, window = chosenWindow() }) {
  const wanted = new URLSearchParams({ window });
  if (queue) wanted.set("queue", queue);
  const loaded = useLive(`/stats/history?${wanted}`, { every: EVERY_MS[/** @type {keyof typeof EVERY_MS} */ (window)], group: `${window} ${queue}` });
  /** @type {StatsHistory | null} */
  const history = loaded.data;
  const charts = CHARTS.filter(({ id }) => !only || only.includes(id));
  return html`${!bare && html`<div class="toolbar"><${WindowSwitch} path=${path} /><span class="muted">Drag over a chart to see the tasks submitted then.</span></div>`}
    ${loaded.error && html`<${ErrorNote} error=${loaded.error} stale=${Boolean(history)} />`}
    ${history ? html`<div class="charts">${charts.map((chart) => html`<${Panel} key=${chart.id} chart=${chart} history=${history} window=${window} queue=${queue} />`)}</div>`
      : !loaded.error && html`<div class="skeleton" aria-busy="true"><i></i><i></i><i></i></div>`}`;
}

/** @param {{ chart: import("../charts.js").Chart, history: StatsHistory, window: string, queue?: string }} props */
function Panel({ chart, history: { points, step_ms }, window, queue }) {
  // A step that is not over would look like a fall.
  const whole = points.length > 2 ? points.slice(0, -1) : points;
  const shown = chart.of(whole, step_ms);
  const drawn = chart.stacked ? stacked(shown) : shown;
  const onZoom = (/** @type {number} */ from, /** @type {number} */ to) => go(href("tasks", new URLSearchParams(), {
    queue: queue ?? null, created_after: new Date(from).toISOString(), created_before: new Date(to).toISOString(),
  }));
  return html`<section class="panel chart" aria-labelledby=${`chart-${chart.id}`}>
    <header><h2 id=${`chart-${chart.id}`}>${chart.title}</h2><span class="muted">${chart.hint}</span></header>
    <${Plot} label=${summary(chart, shown, window)} xs=${whole.map((point) => Date.parse(point.at) / 1000)} drawn=${drawn} shown=${shown} filled=${chart.stacked}
      top=${chart.top ?? topOf(drawn, chart.least ?? 1)} format=${chart.format} tick=${chart.tick ?? chart.format} onZoom=${onZoom} />
  </section>`;
}
