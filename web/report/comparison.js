// This take beside an earlier one, and beside the warm-up: a change counts beyond its error.

import { h, s } from "../dom.js";
import { details, tableOf } from "./parts.js";

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./schema.d.ts").Change} Change */
/** @typedef {import("./report.js").Page} Page */

const VERDICTS = { better: "▲", worse: "▽", same: "=", changed: "◆" };

/** @typedef {import("./tongue.js").Tongue} Tongue */

/** @param {Change} change @param {Tongue} tongue */
export const verdict = ({ verdict: kind }, tongue) =>
  h("span", { class: `verdict-word ${kind}` }, h("span", { "aria-hidden": "true" }, `${VERDICTS[kind]} `), tongue.t(`verdict.${kind}`));

/** The change against normal variation: a band around the earlier value, a dot for the later one.
 * @param {Change} change */
export function changeChart({ before, after, margin, verdict: kind }) {
  const reach = Math.max(2 * margin, 1.2 * Math.abs(after - before)) || 1;
  /** @param {number} value */
  const x = (value) => 60 + (52 * (value - before)) / reach;
  return s(
    "svg",
    { class: "change", viewBox: "0 0 120 20", width: 120, height: 20, "aria-hidden": "true" },
    s("line", { class: "change-rail", x1: 4, x2: 116, y1: 10, y2: 10 }),
    s("rect", { class: "change-margin", x: x(before - margin), width: Math.max(2, x(before + margin) - x(before - margin)), y: 3, height: 14, rx: 3 }),
    s("line", { class: "change-from", x1: 60, x2: x(after), y1: 10, y2: 10 }),
    s("line", { class: "change-before", x1: 60, x2: 60, y1: 3, y2: 17 }),
    s("circle", { class: `change-after ${kind}`, cx: x(after), cy: 10, r: 5 }),
  );
}

/** @param {readonly Change[]} changes @param {Tongue} tongue */
export function changeTable(changes, tongue) {
  if (changes.length === 0) return h("p", {}, tongue.t("compare.none"));
  const moved = changes.filter((one) => one.verdict !== "same");
  const same = changes.filter((one) => one.verdict === "same");
  /** @param {readonly Change[]} some */
  const table = (some) =>
    tableOf(
      tongue.t("compare"),
      [tongue.t("why.measure"), tongue.t("compare.before"), tongue.t("compare.after"), tongue.t("compare.chart"), tongue.t("compare.verdict")],
      some.map((change) => [
        h("span", {}, change.label, h("small", {}, change.unit)),
        tongue.value(change.before, change),
        tongue.value(change.after, change),
        h("span", {}, changeChart(change), h("span", { class: "unseen" }, tongue.t("compare.margin", { n: tongue.value(change.margin, change) }))),
        verdict(change, tongue),
      ]),
    );
  const help = () => h("p", { class: "quiet-note" }, tongue.t("compare.help"));
  return h(
    "div",
    { class: "changes", "data-testid": "changes" },
    moved.length > 0 && table(moved),
    moved.length > 0 && h("ul", { class: "change-words" }, ...moved.map((one) => h("li", {}, one.sentence))),
    moved.length > 0 && help(),
    same.length > 0 && details("same", [tongue.t("compare.same", { n: same.length })], table(same), moved.length === 0 && help()),
  );
}

/** What the warm-up told. @param {Report} report @param {Page} page */
function ownVoice(report, { tongue }) {
  const { baseline } = report;
  if (!baseline) return null;
  const rate = report.measures.find((one) => one.id === "speech_rate")?.value ?? null;
  const change = baseline.level_change;
  return h(
    "div",
    { class: "baseline", "data-testid": "baseline" },
    h("h3", {}, tongue.t("baseline")),
    h("p", {}, [
      tongue.t("baseline.seconds", { n: tongue.number(baseline.seconds, 0) }),
      baseline.speech_rate !== null && (rate === null
        ? tongue.t("baseline.rate.only", { before: tongue.number(baseline.speech_rate) })
        : tongue.t("baseline.rate", { before: tongue.number(baseline.speech_rate), after: tongue.number(rate) })),
      change !== null && (Math.abs(change) < 1
        ? tongue.t("baseline.level")
        : tongue.t(change > 0 ? "baseline.louder" : "baseline.softer", { n: tongue.number(Math.abs(change)) })),
    ].filter(Boolean).join(" ")),
  );
}

/** @param {Report} report @param {Page} page */
export function comparison(report, page) {
  const { tongue, actions } = page;
  const { comparison: with_ } = report;
  if (!with_ && !report.baseline) return null;
  return h(
    "section",
    { class: "comparison", "data-testid": "comparison" },
    h("h2", {}, tongue.t("compare")),
    with_ && h("p", {}, with_.sentence),
    with_ && h("p", { class: "quiet-note" }, tongue.t("compare.last", { title: with_.title, date: tongue.date(with_.started_at) })),
    with_ && changeTable(with_.changes, tongue),
    with_ && actions && h("p", {}, h("a", { class: "button", href: actions.compare(with_.session), "data-testid": "compare" }, tongue.t("compare.open"))),
    ownVoice(report, page),
  );
}
