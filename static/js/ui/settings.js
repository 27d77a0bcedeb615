// What a browser remembers: theme and keyboard. One prefix with a version, so that a later shape can migrate.
import { signal } from "../../vendor/preact.js";

const PREFIX = "jobqueue.v1.";

/** @typedef {"system" | "light" | "dark"} Theme */
/** @type {Theme[]} */
export const THEMES = ["system", "light", "dark"];

/** @type {import("../../vendor/preact.js").Signal<Theme>} */
export const theme = signal(THEMES.find((each) => each === read("theme")) ?? "system");
/** Single-key shortcuts, which speech input can set off by accident: they can be switched off. */
export const shortcuts = signal(read("shortcuts") !== "off");

/** @param {Theme} next */
export function setTheme(next) {
  theme.value = next;
  document.documentElement.dataset.theme = next;
  write("theme", next);
}

/** @param {boolean} on */
export function setShortcuts(on) {
  shortcuts.value = on;
  write("shortcuts", on ? "on" : "off");
}

/** @param {string} key */
function read(key) {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value */
function write(key, value) {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Storage may be forbidden: the choice then lasts as long as the page.
  }
}
