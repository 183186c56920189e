// The sessions kept on this machine.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { clock, date, known, language, t } from "../i18n.js";
import { endWords } from "../report/report.js";
import { announce, erase } from "./erase.js";
import { problem } from "./problem.js";

/** @returns {Promise<import("../main.js").Shown>} */
export async function history() {
  const found = await api.sessions();
  const list = h("ul", { class: "cards history" });
  const empty = h(
    "div",
    { class: "empty" },
    h("p", {}, t("history.empty")),
    h("p", {}, h("a", { class: "button primary", href: "#/" }, t("history.start"))),
  );
  const node = h(
    "section",
    { class: "history-view", "data-testid": "history" },
    h("h1", {}, t("history.title")),
    h("p", { class: "lead" }, t("history.lead")),
    found.length > 0 ? list : empty,
  );

  /** @param {api.StoredSession} session */
  function row(session) {
    const places = { title: session.title, date: date(session.started_at) };
    const state = `status.${session.status}`;
    const status = known(state) ? t(state) : session.status;
    const reason = endWords(session.reason, language());
    const item = h(
      "li",
      { class: "card", "data-testid": `session-${session.id}` },
      h(
        "div",
        { class: "card-body" },
        h("h2", {}, h("a", { href: `#/report/${session.id}`, "aria-label": t("history.open", places) }, session.title)),
        h("p", { class: "muted" }, `${session.character} · ${places.date}`),
        h(
          "ul",
          { class: "facts" },
          session.duration !== null && h("li", {}, icon("clock"), clock(session.duration)),
          h("li", { "data-testid": "end" }, reason ? t("history.end", { status, reason }) : status),
          session.audio.length > 0 && h("li", {}, icon("speaker"), t("history.sound")),
        ),
      ),
      h(
        "button",
        { class: "icon-button", "aria-label": t("history.delete", places), title: t("delete.yes"), onclick: () => void drop() },
        icon("trash"),
      ),
    );
    async function drop() {
      try {
        if (!(await erase(session))) return;
      } catch (error) {
        node.replaceWith(problem(error).node);
        return;
      }
      item.remove();
      announce(t("delete.done"));
      if (list.childElementCount === 0) list.replaceWith(empty);
      node.querySelector("h1")?.focus();
    }
    return item;
  }
  list.append(...found.map(row));
  return { title: t("history.title"), node };
}
