// Small parts that several views share.

import { h } from "../dom.js";
import { drawing, icon } from "../icons.js";
import { number, t } from "../i18n.js";

/** @typedef {import("../i18n.js").Key} Key */

/** The way back, above the title. @param {string} href @param {string} text */
export const back = (href, text) =>
  h("p", { class: "back" }, h("a", { href }, icon("back"), text));

/** Whether this machine draws emoji: a coloured one leaves coloured points. @returns {boolean} */
function drawsEmoji() {
  const canvas = h("canvas", { width: 16, height: 16 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen) return false;
  pen.font = "14px sans-serif";
  pen.fillText("\u{1F352}", 0, 13);
  const { data } = pen.getImageData(0, 0, 16, 16);
  return data.some((value, index) => index % 4 === 0 && Math.abs(value - data[index + 1]) > 60);
}

let coloured = /** @type {boolean | undefined} */ (undefined);

/** Whether the name is an emoji, and can be shown. @param {string} name */
const emoji = (name) => /\p{Extended_Pictographic}/u.test(name) && (coloured ??= drawsEmoji());

/** A character's face: its emoji, or the first letter of its name.
 * @param {{name: string, avatar: string}} character */
export function face(character) {
  const text = emoji(character.avatar) ? character.avatar : character.name.slice(0, 1);
  return h("span", { class: "face", "aria-hidden": "true" }, text);
}

/** An exercise's sign: a drawing, else its emoji, else the usual drawing. @param {string} name */
export function sign(name) {
  const known = drawing(name);
  const picture = !known && emoji(name) ? name : icon(known ?? "chat");
  return h("span", { class: "sign", "aria-hidden": "true" }, picture);
}

/** A button that only works when the time is over, and says how long that is.
 * @param {number} seconds @param {string} words @param {() => void} act */
export function later(seconds, words, act) {
  const ends = performance.now() + 1000 * seconds;
  const text = h("span");
  const button = h("button", { "data-testid": "later" }, icon("repeat"), text);
  function draw() {
    const left = Math.ceil((ends - performance.now()) / 1000);
    button.setAttribute("aria-disabled", String(left > 0));
    text.textContent = left > 0 ? t("app.later", { words, n: left }) : words;
    if (left > 0) setTimeout(draw, 500);
  }
  button.addEventListener("click", () => {
    if (performance.now() >= ends) act();
  });
  draw();
  return button;
}

/** @param {string} dimension */
export const dimensionName = (dimension) => t(/** @type {Key} */ (`dimension.${dimension}`));

/** How hard and how long. @param {import("../api.js").Exercise} exercise */
export const facts = (exercise) =>
  h(
    "ul",
    { class: "facts" },
    h("li", {}, icon("chart"), t(/** @type {Key} */ (`difficulty.${exercise.difficulty}`))),
    h("li", {}, icon("clock"), t("exercises.minutes", { n: number(exercise.duration_minutes) })),
  );
