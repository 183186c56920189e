// Small parts that several views share.

import { h } from "../dom.js";
import { drawn, icon } from "../icons.js";
import { t } from "../i18n.js";

/** @typedef {import("../i18n.js").Key} Key */

/** The way back, above the title. @param {string} href @param {string} text */
export const back = (href, text) =>
  h("p", { class: "back" }, h("a", { href }, icon("back"), text));

/** A character's face: its emoji, or the first letter of its name.
 * @param {{name: string, avatar: string}} character */
export function face(character) {
  const emoji = /\p{Extended_Pictographic}/u.test(character.avatar) ? character.avatar : "";
  return h("span", { class: "face", "aria-hidden": "true" }, emoji || character.name.slice(0, 1));
}

/** An exercise's sign: its emoji, a drawing of that name, or the usual one. @param {string} name */
export const sign = (name) =>
  h(
    "span",
    { class: "sign", "aria-hidden": "true" },
    /\p{Extended_Pictographic}/u.test(name) ? name : icon(drawn(name) ? name : "chat"),
  );

/** @param {string} dimension */
export const dimensionName = (dimension) => t(/** @type {Key} */ (`dimension.${dimension}`));

/** How hard and how long. @param {import("../api.js").Exercise} exercise */
export const facts = (exercise) =>
  h(
    "ul",
    { class: "facts" },
    h("li", {}, icon("chart"), t(/** @type {Key} */ (`difficulty.${exercise.difficulty}`))),
    h("li", {}, icon("clock"), t("exercises.minutes", { n: exercise.duration_minutes })),
  );
