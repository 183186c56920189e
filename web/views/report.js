// A session's report, and what can be done with it.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { language, t } from "../i18n.js";
import { renderReport } from "../report/report.js";
import { announce, erase } from "./erase.js";
import { back } from "./parts.js";
import { problem } from "./problem.js";

/** The recording to play with it: both voices where they were kept. @param {string[]} kept */
const recording = (kept) => (kept.includes("mix") ? "mix" : kept[0]);

/** @param {string} id @returns {Promise<import("../main.js").Shown>} */
export async function report(id) {
  const found = await api.report(id);
  const sound = recording(found.audio);
  const path = `sessions/${encodeURIComponent(id)}`;
  const body = renderReport(found, {
    language: language(),
    audioUrl: sound ? api.address(`${path}/audio/${sound}`) : undefined,
  });
  const node = h(
    "div",
    { class: "report-view" },
    back("#/history", t("nav.history")),
    body,
    h(
      "section",
      { class: "report-actions" },
      h("h2", {}, t("report.actions")),
      h(
        "p",
        { class: "actions" },
        h("a", { class: "button primary", href: `#/exercise/${found.exercise}`, "data-testid": "again" }, t("report.again")),
        h("a", { class: "button", href: api.address(`${path}/report`), download: `${id}.json` }, icon("download"), t("report.json")),
        h("a", { class: "button", href: api.address(`${path}/report.html`), download: `${id}.html` }, icon("download"), t("report.html")),
        h("button", { class: "danger", "data-testid": "erase", onclick: () => void drop() }, icon("trash"), t("report.delete")),
      ),
    ),
  );

  async function drop() {
    try {
      if (!(await erase({ id, title: found.title }))) return;
    } catch (error) {
      node.replaceWith(problem(error).node);
      return;
    }
    announce(t("delete.done"));
    location.hash = "#/history";
  }

  return {
    title: `${t("report.title")} – ${found.title}`,
    node,
    leave: () => body.dispatchEvent(new Event("leave")),
  };
}
