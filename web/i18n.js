// The page's words, in the language of its user.

import { en } from "./messages/en.js";
import { fr } from "./messages/fr.js";
import { settings } from "./settings.js";

/** @typedef {keyof typeof fr} Key */

const messages = { fr, en };

/** @returns {"fr" | "en"} */
export const language = () => settings.language;

/** Whether the server is on the machine that shows the page. */
export const here = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);

/** The message of that key, its {places} filled; {machine} is where the server is: nobody whose
 * words go to another machine is told that they stay on this one.
 * @param {Key} key @param {Record<string, string | number>} [places]
 * @returns {string} */
export const t = (key, places = {}) =>
  messages[language()][key].replace(/\{(\w+)\}/g, (/** @type {string} */ whole, /** @type {string} */ name) =>
    String(places[name] ?? (name === "machine" ? t(here ? "machine.here" : "machine.server") : whole)));

/** Whether there is a message of that key; for words that the server chooses.
 * @param {string} key @returns {key is Key} */
export const known = (key) => key in fr;

/** @param {number} value @param {Intl.NumberFormatOptions} [options] */
export const number = (value, options) => new Intl.NumberFormat(language(), options).format(value);

/** A length of time as a clock shows it. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** @param {number} seconds POSIX time */
export const date = (seconds) =>
  new Intl.DateTimeFormat(language(), { dateStyle: "long", timeStyle: "short" }).format(seconds * 1000);

/** @param {number} bytes */
export const size = (bytes) =>
  number(bytes / 1e6, {
    style: "unit", unit: "megabyte", maximumFractionDigits: bytes < 1e7 ? 1 : 0,
  });
