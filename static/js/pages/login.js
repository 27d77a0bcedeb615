// Asks for an API key. It goes to the server once and is kept nowhere here.
import { ApiError } from "../api.js";
import { failure, load, login } from "../session.js";
import { ErrorNote } from "../ui/bits.js";
import { Icon } from "../ui/icon.js";
import { html, useEffect, useSignal } from "../../vendor/preact.js";

export function Login() {
  const fault = useSignal("");
  const sending = useSignal(false);
  useEffect(() => {
    document.title = "Log in · jobqueue";
    document.getElementById("field-key")?.focus();
  }, []);
  const onSubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const field = /** @type {HTMLInputElement} */ (document.getElementById("field-key"));
    if (!field.value.trim()) {
      fault.value = "Give an API key.";
      return field.focus();
    }
    sending.value = true;
    try {
      await login(field.value.trim());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fault.value = error.message;
      field.select();
    }
    sending.value = false;
  };
  return html`<main id="main" class="login" tabindex="-1">
    <h1><${Icon} name="logo" />jobqueue</h1>
    <form onSubmit=${onSubmit} novalidate>
      <div class="field"><label for="field-key">API key</label>
        <input id="field-key" name="key" type="password" autocomplete="current-password" spellcheck=${false} aria-invalid=${Boolean(fault.value)} aria-describedby="field-key-hint" />
        ${fault.value
          ? html`<p class="fault" id="field-key-hint" role="alert">${fault.value}</p>`
          : html`<p class="hint" id="field-key-hint">Made with <code>jobqueue key create</code>. The browser keeps a session of it, for 12 hours.</p>`}
      </div>
      <div class="actions"><button class="primary" disabled=${sending.value}>${sending.value ? "Logging in…" : "Log in"}</button></div>
    </form>
  </main>`;
}

/** The server didn't say whether it wants a key. */
export function Unknown() {
  return failure.value && html`<main id="main" class="login" tabindex="-1"><h1><${Icon} name="logo" />jobqueue</h1>
    <${ErrorNote} error=${failure.value} /><div class="actions"><button onClick=${load}>Try again</button></div></main>`;
}
