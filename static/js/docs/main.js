// Starts the API's reference: one page for its two addresses, /docs and /docs/errors.
import { Errors } from "./errors.js";
import { Reference } from "./reference.js";
import { Icon } from "../ui/icon.js";
import { ThemeSwitch } from "../ui/theme-switch.js";
import { Toasts } from "../ui/toast.js";
import { html, render, signal, useEffect } from "../../vendor/preact.js";

const onErrors = location.pathname.startsWith("/docs/errors");
/** @type {import("../../vendor/preact.js").Signal<OpenApi | null>} */
const openapi = signal(null);
const failed = signal(false);

function App() {
  const document = openapi.value;
  return html`<header class="bar-top">
      <a class="brand" href="/ui/"><${Icon} name="logo" />jobqueue</a>
      <nav aria-label="Main"><a href="/ui/">Dashboard</a>
        <a href="/docs" aria-current=${onErrors ? undefined : "page"}>API reference</a>
        <a href="/docs/errors" aria-current=${onErrors ? "page" : undefined}>Errors</a></nav>
      <div class="tools">${document && html`<span class="muted">${document.info.version}</span>`}<${ThemeSwitch} /></div>
    </header>
    <main id="main" class="docs">${document ? html`<${Page} document=${document} />`
      : failed.value ? html`<p class="note is-bad" role="alert"><${Icon} name="warn" />The description of the API could not be loaded. Is the server running? Reload to try again.</p>`
      : html`<div class="skeleton" aria-busy="true"><i></i><i></i><i></i></div>`}</main>
    <${Toasts} />`;
}

/** @param {{ document: OpenApi }} props */
function Page({ document }) {
  // The entry an address names is there only now: going to it again scrolls to it and marks it.
  useEffect(() => { if (location.hash) location.replace(location.href); }, []);
  return onErrors ? html`<${Errors} document=${document} />` : html`<${Reference} document=${document} />`;
}

async function load() {
  try {
    const answer = await fetch("/openapi.json");
    openapi.value = await answer.json();
  } catch {
    failed.value = true;
  }
}

if (onErrors) document.title = "Errors · jobqueue";
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
load();
