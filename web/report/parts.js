// Small parts that several sections of the report share.

import { h } from "../dom.js";

/** @typedef {import("../dom.js").Child} Child */

/** Something folded away. `key` finds it again when the report is drawn anew.
 * @param {string} key @param {Child[]} summary @param {...Child} children */
export const details = (key, summary, ...children) => h("details", { "data-key": key }, h("summary", {}, ...summary), ...children);

/** A link to a drill or a retry. @param {import("./report.js").Way} to
 * @param {Record<string, unknown>} attributes @param {string} words */
export const way = ({ href, start }, attributes, words) => h("a", { ...attributes, href, onclick: start }, words);

/** @param {string} label @param {string[]} heads @param {(string | Node)[][]} rows */
export const tableOf = (label, heads, rows) =>
  h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, label),
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((cell, index) => h("td", { "data-label": heads[index + 1] }, cell))))),
    ),
  );
