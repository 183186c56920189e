// The AI, personal data, accessibility, and the state of this installation.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { t } from "../i18n.js";

/** @returns {Promise<import("../main.js").Shown>} */
export async function about() {
  const status = await api.status();
  const { problems = [] } = status; // those who are not signed in are told of none
  /** @param {string} title @param {string} text */
  const section = (title, text) => h("section", {}, h("h2", {}, title), h("p", {}, text));
  return {
    title: t("about.title"),
    node: h(
      "article",
      { class: "narrow" },
      h("h1", {}, t("about.title")),
      section(t("about.ai.title"), t("about.ai.text")),
      h(
        "section",
        {},
        h("h2", {}, t("about.data.title")),
        h("p", {}, t("about.data.text")),
        (!status.accounts || status.account) && h("p", {}, h("a", { href: "#/memory", "data-testid": "to-memory" }, t("about.memory"))),
      ),
      section(t("about.access.title"), t("about.access.text")),
      status.account?.role === "operator" &&
        h(
          "section",
          {},
          h("h2", {}, t("about.operator")),
          h("p", { class: "actions" }, h("a", { class: "button", href: "#/engines", "data-testid": "to-engines" }, icon("speaker"), t("engines.title"))),
        ),
      problems.length > 0 &&
        h("section", {}, h("h2", {}, t("about.problems")), h("ul", {}, ...problems.map((one) => h("li", {}, one)))),
      h("p", { class: "muted" }, t("about.version", { version: status.version })),
    ),
  };
}
