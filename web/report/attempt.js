// The short report of a drill or of an answer tried again: one measure, before and after.

import { h } from "../dom.js";
import { changeChart, changeTable, verdict } from "./comparison.js";
import { figures } from "./figures.js";
import { details, way } from "./parts.js";
import { jump } from "./playhead.js";
import { scores } from "./scores.js";

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./schema.d.ts").Change} Change */
/** @typedef {import("./report.js").Page} Page */

/** The measure that this was about, else the first. @param {Report} report */
function main(report) {
  const changes = report.comparison?.changes ?? [];
  const wanted = [report.goal?.measure, report.feedback.drill?.measure, report.feedback.priority?.measure];
  return changes.find((change) => wanted.includes(change.measure)) ?? changes[0];
}

/** @param {Change} change @param {Page} page */
const beforeAfter = (change, page) =>
  h(
    "div",
    { class: "before-after", "data-testid": "before-after" },
    h("h2", {}, change.label),
    h(
      "p",
      { class: "figures-pair" },
      h("span", {}, h("small", {}, page.tongue.t("compare.before")), page.tongue.value(change.before, change)),
      h("span", { "aria-hidden": "true", class: "arrow" }, "→"),
      h("span", {}, h("small", {}, page.tongue.t("compare.after")), page.tongue.value(change.after, change)),
      h("span", { class: "unit" }, change.unit),
    ),
    changeChart(change),
    h("p", {}, verdict(change, page.tongue), " ", h("span", { class: "quiet-note" }, page.tongue.t("compare.margin", { n: page.tongue.value(change.margin, change) }))),
  );

/** What a drill came to: its value with the interval, against what it was to reach.
 * @param {import("./schema.d.ts").DrillResult} result @param {Page} page */
function drilled(result, { tongue }) {
  const { value, low, high, at_least: least, at_most: most } = result;
  const aim = tongue.target(least, most, result);
  return h(
    "div",
    { class: "before-after", "data-testid": "before-after" },
    h("h2", {}, result.label),
    value === null && h("p", {}, tongue.t("attempt.unmeasured")),
    value !== null && h(
      "p",
      { class: "figures-pair" },
      result.before !== null && h("span", {}, h("small", {}, tongue.t("compare.before")), tongue.value(result.before, result)),
      result.before !== null && h("span", { "aria-hidden": "true", class: "arrow" }, "→"),
      h("span", {}, h("small", {}, tongue.t("attempt.now")), tongue.value(value, result)),
      h("span", { class: "unit" }, result.unit),
    ),
    h("p", { class: "quiet-note" }, [
      low !== null && high !== null && low !== high && tongue.t("attempt.interval", { low: tongue.value(low, result), high: tongue.value(high, result) }),
      aim && tongue.t("attempt.aim", { aim }),
    ].filter(Boolean).join(" ")),
    result.reached !== null && h(
      "p",
      {},
      h("strong", { class: `verdict-word ${result.reached ? "better" : "worse"}` }, h("span", { "aria-hidden": "true" }, result.reached ? "✓ " : "→ "), tongue.t(result.reached ? "attempt.reached" : "attempt.not_reached")),
    ),
  );
}

/** What was said before and this time, each to be heard. @param {Report} report @param {Page} page */
function takes(report, page) {
  const { tongue, head, before } = page;
  const earlier = before && before.report.turns.find((turn) => turn.index === before.turn);
  const now = report.turns.filter((turn) => turn.speaker === "learner" && turn.phase !== "warm_up");
  /** @param {string} text @param {number} seconds */
  const said = (text, seconds) => (text ? tongue.quote(text) : tongue.t("turn.ear", { n: tongue.number(seconds) }));
  /** @param {import("./playhead.js").Playhead} player @param {import("./schema.d.ts").ReportTurn} turn */
  const hear = (player, turn) => (player.audio ? jump(player, tongue, turn.start, turn.end) : h("small", {}, tongue.t("attempt.silent")));
  return h(
    "div",
    { class: "takes", "data-testid": "takes" },
    h("h2", {}, tongue.t(earlier ? "attempt.takes" : "transcript")),
    earlier && h("div", { class: "take before" }, h("p", { class: "eyebrow" }, tongue.t("compare.before"), " ", hear(before.head, earlier)), h("p", {}, said(earlier.text, earlier.end - earlier.start))),
    now.length > 0 && h(
      "div",
      { class: "take after" },
      h("p", { class: "eyebrow" }, tongue.t(earlier ? "compare.after" : "attempt.now"), " ", !head.audio && hear(head, now[0])),
      ...now.map((turn) => h("p", {}, head.audio && hear(head, turn), " ", said(turn.text, turn.end - turn.start))),
    ),
  );
}

/** @param {Report} report @param {Page} page @returns {HTMLElement[]} */
export function attempt(report, page) {
  const { tongue, head, actions } = page;
  const change = main(report);
  const again = actions?.again?.();
  return [
    h(
      "header",
      {},
      h("p", { class: "eyebrow" }, [tongue.t(report.purpose === "drill" ? "attempt.drill" : "attempt.retry"), report.drill_result?.title ?? report.title, tongue.date(report.started_at)].filter(Boolean).join(" · ")),
      h("h1", { class: "attempt-title", "data-testid": "report-headline" }, report.drill_result?.sentence || report.comparison?.sentence || report.feedback.headline),
    ),
    h(
      "section",
      { class: "attempt" },
      report.drill_result
        ? drilled(report.drill_result, page)
        : change ? beforeAfter(change, page) : !report.comparison?.sentence && h("p", { "data-testid": "before-after" }, tongue.t("attempt.nothing")),
      actions && h(
        "p",
        { class: "todo" },
        again && way(again, { class: "button primary", "data-testid": "once-more" }, tongue.t("attempt.again")),
        h("a", { class: again ? "button" : "button primary", href: actions.report(report.of), "data-testid": "back-to-report" }, tongue.t("attempt.back")),
      ),
    ),
    h("section", {}, takes(report, page), head.bar),
    h(
      "section",
      { class: "figures" },
      details(
        "details",
        [h("h2", {}, tongue.t("attempt.details"))],
        report.comparison && report.comparison.changes.length > 1 && changeTable(report.comparison.changes, tongue),
        scores(report, page),
        figures(report, page),
      ),
    ),
  ];
}
