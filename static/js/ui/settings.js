// What a browser remembers: theme and keyboard. One prefix with a version, so that a later shape can migrate.
import { signal } from "../../vendor/preact.js";

const PREFIX = "jobqueue.v1.";

/** @typedef {"system" | "light" | "dark"} Theme */
/** @type {Theme[]} */
export const THEMES = ["system", "light", "dark"];

/** @type {import("../../vendor/preact.js").Signal<Theme>} */
export const theme = signal(THEMES.find((each) => each === read("theme")) ?? "system");
/** In which zone times are shown: "local", "UTC" or a name of the IANA database. */
export const zone = signal(soundZone(read("zone")));
/** Single-key shortcuts, which speech input can set off by accident: they can be switched off. */
export const shortcuts = signal(read("shortcuts") !== "off");

/** @param {Theme} next */
export function setTheme(next) {
  theme.value = next;
  document.documentElement.dataset.theme = next;
  write("theme", next);
}

/** @param {string} next */
export function setZone(next) {
  zone.value = soundZone(next);
  write("zone", zone.value);
}

/** @param {boolean} on */
export function setShortcuts(on) {
  shortcuts.value = on;
  write("shortcuts", on ? "on" : "off");
}

/** One that the browser knows, or the local one. @param {string | null} name */
function soundZone(name) {
  try {
    if (name && name !== "local") new Intl.DateTimeFormat(undefined, { timeZone: name });
    return name || "local";
  } catch {
    return "local";
  }
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
