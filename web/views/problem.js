// What the reader sees when a view cannot be shown: the cause, and what to do.

import { Problem } from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { t } from "../i18n.js";
import { problemWords } from "../words.js";
import { later } from "./parts.js";

/**
 * @param {unknown} error @param {() => void} [retry]
 * @returns {import("../main.js").Shown}
 */
export function problem(error, retry) {
  const known = error instanceof Problem;
  if (!known) console.error(error);
  const { title, text } = known
    ? problemWords({ code: error.code, title: error.title, message: error.detail, mend: error.mend })
    : { title: t("error.title"), text: [] };
  return {
    title,
    node: h(
      "section",
      { class: "screen narrow", "data-testid": "problem" },
      h("div", { class: "screen-icon" }, icon("warning")),
      h("h1", {}, title),
      ...text,
      h(
        "p",
        { class: "actions" },
        retry && (known && error.wait
          ? later(error.wait, t("app.retry"), retry)
          : h("button", { class: "primary", onclick: retry }, t("app.retry"))),
        h("a", { class: "button", href: "#/" }, t("nav.exercises")),
      ),
    ),
  };
}
