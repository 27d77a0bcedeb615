// One button for the theme: as the system has it, light, dark.
import { Icon } from "./icon.js";
import { setTheme, theme, THEMES } from "./settings.js";
import { html } from "../../vendor/preact.js";

export function ThemeSwitch() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  const label = `Theme: ${theme.value}. Switch to ${next}.`;
  return html`<button class="ghost" aria-label=${label} title=${label} onClick=${() => setTheme(next)}><${Icon} name=${theme.value} /></button>`;
}
