// Two takes side by side: what was said first, what changed, and the answers question by question.

import * as api from "../api.js";
import { h } from "../dom.js";
import { date, language, t } from "../i18n.js";
import { aligned, exchanges } from "../report/alignment.js";
import { changeTable } from "../report/comparison.js";
import { jump, Playhead } from "../report/playhead.js";
import { Tongue } from "../report/tongue.js";
import { back } from "./parts.js";
import { soundOf } from "./report.js";

/** @typedef {import("../report/schema.d.ts").Report} Report */
/** @typedef {import("../report/alignment.js").Exchange} Exchange */
/** One of the two. @typedef {{report: Report, head: Playhead, name: string}} Take */

/** @param {string} earlier @param {string} later @returns {Promise<import("../main.js").Shown>} */
export async function compare(earlier, later) {
  const [before, after, changes] = await Promise.all([api.report(earlier), api.report(later), api.compare(earlier, later)]);
  const tongue = new Tongue(language());
  const takes = [before, after].map((report, index) => {
    const name = t("compare.take", { n: index + 1 });
    return { report, name, head: new Playhead(soundOf(report), report.duration, tongue, name) };
  });
  const [first, second] = takes;
  for (const [one, other] of [[first, second], [second, first]]) {
    one.head.audio?.addEventListener("play", () => other.head.stop());
  }
  const node = h(
    "article",
    { class: "report compare playing", "data-testid": "compare" },
    back("#/history", t("nav.history")),
    h("h1", {}, t("compare.title")),
    h("div", { class: "pair" }, ...takes.map(summary)),
    h(
      "section",
      {},
      h("h2", {}, t("compare.changes")),
      h("p", {}, changes.sentence),
      changeTable(changes.changes, tongue),
    ),
    h(
      "section",
      { class: "answers", "data-testid": "answers" },
      h("h2", {}, t("compare.answers")),
      ...aligned(exchanges(before), exchanges(after)).map((pair) => row(pair, takes, tongue)),
    ),
  );
  return { title: t("compare.title"), node, leave: () => takes.forEach(({ head }) => head.stop()) };
}

/** @param {Take} take */
const summary = ({ report, head, name }) =>
  h(
    "section",
    { class: "take-summary" },
    h("h2", {}, name),
    h("p", { class: "quiet-note" }, [report.title, date(report.started_at)].join(" · ")),
    h("p", { class: "take-headline", lang: report.language }, report.feedback.headline),
    h("p", {}, h("a", { href: `#/report/${report.session}` }, t("compare.open"), h("span", { class: "unseen" }, ` (${name})`))),
    head.bar ?? h("p", { class: "quiet-note" }, t("compare.silent")),
  );

/** One question and its answers in both takes. @param {[Exchange | undefined, Exchange | undefined]} pair
 * @param {Take[]} takes @param {Tongue} tongue */
function row(pair, takes, tongue) {
  const questions = pair.map((one) => one?.question.trim() ?? "");
  const same = questions[0] === questions[1] || pair.includes(undefined);
  return h(
    "section",
    { class: "exchange" },
    same && h("h3", { class: "question" }, questions[0] || questions[1]),
    h("div", { class: "pair" }, ...pair.map((one, index) => answer(one, same ? "" : questions[index], takes[index], tongue))),
  );
}

/** @param {Exchange | undefined} exchange @param {string} question @param {Take} take @param {Tongue} tongue */
const answer = (exchange, question, { head, name }, tongue) =>
  h(
    "div",
    { class: "answer" },
    h("p", { class: "eyebrow" }, name),
    question && h("p", { class: "question" }, question),
    ...(exchange?.answers ?? []).map((turn) =>
      h(
        "p",
        { class: "said" },
        head.audio && jump(head, tongue, turn.start, turn.end, name),
        head.audio && " ",
        turn.text || t("compare.ear", { n: tongue.number(turn.end - turn.start) }),
      )),
    !exchange && h("p", { class: "quiet-note" }, t("compare.no_answer")),
  );
