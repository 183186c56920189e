// What the reader sees when a view cannot be shown: the cause, and what to do.

import { Problem } from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { known as has, t } from "../i18n.js";

/** The server's codes are for machines: where the page has words for one, it says them.
 * @param {Problem} error */
function headline(error) {
  const key = `problem.${error.code}`;
  return has(key) ? t(key) : error.title;
}

/**
 * @param {unknown} error @param {() => void} [retry]
 * @returns {import("../main.js").Shown}
 */
export function problem(error, retry) {
  const known = error instanceof Problem;
  if (!known) console.error(error);
  const title = known ? headline(error) : t("error.title");
  return {
    title,
    node: h(
      "section",
      { class: "screen narrow", "data-testid": "problem" },
      h("div", { class: "screen-icon" }, icon("warning")),
      h("h1", {}, title),
      known && error.detail && h("p", {}, error.detail),
      known && error.mend && h("p", {}, error.mend),
      h(
        "p",
        { class: "actions" },
        retry && h("button", { class: "primary", onclick: retry }, t("app.retry")),
        h("a", { class: "button", href: "#/" }, t("nav.exercises")),
      ),
    ),
  };
}
