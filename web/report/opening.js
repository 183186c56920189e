// What one reads first: one sentence, what went well, one thing to change, and what to do now.

import { h } from "../dom.js";
import { way } from "./parts.js";
import { jump } from "./playhead.js";

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./schema.d.ts").Remark} Remark */
/** @typedef {import("./schema.d.ts").Drill} Drill */
/** @typedef {import("./report.js").Page} Page */
/** @typedef {import("../dom.js").Child} Child */

/** @param {string} label @param {Remark} remark @param {string} kind @param {Page} page
 * @param {...Child} more */
const remarkCard = (label, remark, kind, { head, tongue, spoken }, ...more) =>
  h(
    "section",
    { class: `remark ${kind}`, "data-testid": kind },
    h("p", { class: "eyebrow" }, label),
    h("h2", { lang: spoken }, remark.title),
    h("p", { lang: spoken }, remark.text),
    remark.start !== null && h("p", {}, jump(head, tongue, remark.start, remark.end, remark.title)),
    ...more,
  );

/** How long a drill takes, as its button says it. @param {Drill} drill @param {Page} page */
const drillWords = ({ seconds }, { tongue }) =>
  seconds < 60 ? tongue.t("drill.seconds", { n: seconds }) : tongue.t("drill.minutes", { n: Math.round(seconds / 30) / 2 });

/** The drill of a page that nobody serves, with a timer. @param {Drill} drill @param {Page} page */
function timer(drill, page) {
  const { tongue } = page;
  const time = h("output", { class: "drill-time", "aria-live": "off" }, tongue.clock(drill.seconds));
  const done = h("p", { role: "status" });
  const start = h("button", { type: "button", class: "primary" }, tongue.t("drill.start"));
  let ticking = 0;
  const stop = () => {
    clearInterval(ticking);
    ticking = 0;
    start.textContent = tongue.t("drill.start");
  };
  start.addEventListener("click", () => {
    if (ticking) {
      stop();
      return;
    }
    let left = drill.seconds;
    done.textContent = "";
    time.textContent = tongue.clock(left);
    start.textContent = tongue.t("drill.stop");
    ticking = setInterval(() => {
      left -= 1;
      time.textContent = tongue.clock(left);
      if (left > 0) return;
      stop();
      done.textContent = tongue.t("drill.done");
    }, 1000);
  });
  page.leaving.push(stop);
  return [h("p", { class: "drill-run" }, time, start), done];
}

/** @param {Drill} drill @param {Page} page */
const drillWith = (drill, page) =>
  h(
    "div",
    { class: "drill", "data-testid": "drill" },
    h("h3", { lang: page.spoken }, drill.title),
    h("p", { lang: page.spoken }, drill.instructions),
    h("p", {}, h("strong", {}, page.tongue.labelled(page.tongue.t("drill.success"), "")), h("span", { lang: page.spoken }, drill.success)),
  );

/** What to do now: the drill, and the weakest answer once more. @param {Report} report @param {Page} page */
function todo(report, page) {
  const { tongue, actions } = page;
  const { drill } = report.feedback;
  const turn = report.turns.find((one) => one.index === report.weakest_turn);
  const retry = actions && turn;
  return [
    drill && drillWith(drill, page),
    ...(drill && !actions ? timer(drill, page) : []),
    actions && (drill || retry) && h(
      "p",
      { class: "todo" },
      drill && way(actions.drill(drill.id), { class: "button primary", "data-testid": "drill-open" }, drillWords(drill, page)),
      retry && way(
        actions.retry(turn.index),
        { class: drill ? "button" : "button primary", "data-testid": "retry", title: tongue.t("retry.which", { time: tongue.clock(turn.start) }) },
        tongue.t("retry"),
      ),
    ),
  ];
}

/** @param {Report} report @param {Page} page */
function rewrite({ feedback }, { head, tongue, spoken }) {
  const one = feedback.rewrite;
  if (!one) return null;
  return h(
    "section",
    { class: "rewrite", "data-testid": "rewrite" },
    h("h2", {}, tongue.t("rewrite")),
    h("p", { class: "eyebrow" }, tongue.t("rewrite.before")),
    h("p", { lang: spoken }, tongue.quote(one.before), " ", one.start !== null && jump(head, tongue, one.start, one.end, tongue.quote(one.before))),
    h("p", { class: "eyebrow" }, tongue.t("rewrite.after")),
    h("p", { class: "better", lang: spoken }, tongue.quote(one.after)),
  );
}

/** @param {Report} report @param {Page} page */
export function opening(report, page) {
  const { tongue } = page;
  const { feedback } = report;
  const broken = report.status === "interrupted" || report.status === "failed";
  const reason = report.reason === "recording" ? "" : tongue.end(report.reason);
  return h(
    "div",
    { class: "opening" },
    h(
      "header",
      {},
      h("p", { class: "eyebrow" }, [report.title, tongue.date(report.started_at), tongue.clock(report.duration)].filter(Boolean).join(" · ")),
      h("h1", { lang: page.spoken, "data-testid": "report-headline" }, feedback.headline),
      (broken || reason || report.exam) &&
        h("p", { class: "quiet-note", "data-testid": "end" }, [reason && tongue.t("end", { reason }), broken && tongue.t("cut"), report.exam && tongue.t("exam")].filter(Boolean).join(" ")),
    ),
    report.worked && h("section", { class: "worked", "data-testid": "worked" }, h("p", { class: "eyebrow" }, tongue.t("worked")), h("p", {}, tongue.quote(report.worked))),
    h(
      "div",
      { class: "remarks" },
      ...feedback.strengths.map((one) => remarkCard(tongue.t("strength"), one, "strength", page)),
      feedback.priority
        ? remarkCard(tongue.t("priority"), feedback.priority, "priority", page, ...todo(report, page))
        : (feedback.drill || (page.actions && report.weakest_turn !== null)) &&
          h("section", { class: "remark priority", "data-testid": "priority" }, h("p", { class: "eyebrow" }, tongue.t("next")), ...todo(report, page)),
    ),
    rewrite(report, page),
  );
}
