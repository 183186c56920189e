// What one reads first: one sentence, what went well, one thing to change, and what to do now.

import { h } from "../dom.js";
import { details, way } from "./parts.js";
import { jump } from "./playhead.js";

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./schema.d.ts").Remark} Remark */
/** @typedef {import("./schema.d.ts").Drill} Drill */
/** @typedef {import("./report.js").Page} Page */
/** @typedef {import("../dom.js").Child} Child */

/** Room for everything at once: a phone shows what counts first, and folds the rest. */
const roomy = () => matchMedia("(min-width: 44rem)").matches;

/** @param {Remark} remark @param {Page} page */
const place = (remark, { head, tongue }) => remark.start !== null && jump(head, tongue, remark.start, remark.end, remark.title);

/** @param {string} label @param {Remark} remark @param {string} kind @param {Page} page
 * @param {...Child} more */
const remarkCard = (label, remark, kind, page, ...more) =>
  h(
    "section",
    { class: `remark ${kind}`, "data-testid": kind },
    h("p", { class: "eyebrow" }, label),
    h("div", { class: "remark-head" }, h("h2", { lang: page.spoken }, remark.title), place(remark, page)),
    h("p", { lang: page.spoken }, remark.text),
    ...more,
  );

/** What went well: the first in full, the others folded where there is little room.
 * @param {Remark} remark @param {number} index @param {Page} page */
function strength(remark, index, page) {
  const label = page.tongue.t("strength");
  if (index === 0 || roomy()) return remarkCard(label, remark, "strength", page);
  const folded = details(
    `strength-${index}`,
    [h("span", {}, h("span", { class: "unseen" }, page.tongue.labelled(label, "")), h("h2", { lang: page.spoken }, remark.title))],
    h("p", { lang: page.spoken }, remark.text),
    h("p", {}, place(remark, page)),
  );
  folded.classList.add("remark", "strength");
  folded.dataset.testid = "strength";
  return folded;
}

/** How long a drill takes, as its button says it. @param {Drill} drill @param {Page} page */
function drillWords({ seconds }, { tongue }) {
  const [n, rest] = [Math.floor(seconds / 60), seconds % 60];
  if (n === 0) return tongue.t("drill.seconds", { n: rest });
  return rest === 0 ? tongue.t("drill.minutes", { n }) : tongue.t("drill.both", { n, rest });
}

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
const drillSteps = (drill, page) => [
  h("p", { lang: page.spoken }, drill.instructions),
  h("p", {}, h("strong", {}, page.tongue.labelled(page.tongue.t("drill.success"), "")), h("span", { lang: page.spoken }, drill.success)),
];

/** The drill, told at once where there is room and nothing to click on.
 * @param {Drill} drill @param {Page} page */
function drillWith(drill, page) {
  if (!page.actions) return h("div", { class: "drill", "data-testid": "drill" }, h("h3", { lang: page.spoken }, drill.title), ...drillSteps(drill, page));
  const told = details("drill", [h("h3", {}, page.tongue.t("drill.how", { title: drill.title }))], ...drillSteps(drill, page));
  told.classList.add("drill");
  told.dataset.testid = "drill";
  told.open = roomy();
  return told;
}

/** What to do now: the drill, and the weakest answer once more. @param {Report} report @param {Page} page */
function todo(report, page) {
  const { tongue, actions } = page;
  const { drill } = report.feedback;
  const turn = report.turns.find((one) => one.index === report.weakest_turn);
  const retry = actions && turn;
  return [
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
    drill && drillWith(drill, page),
    ...(drill && !actions ? timer(drill, page) : []),
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

/** Ends that are what one expects: they are told with the details of the report. */
const EXPECTED = ["learner", "script", "duration", "recording"];

/** @param {Report} report @param {Page} page */
export function opening(report, page) {
  const { tongue } = page;
  const { feedback } = report;
  const broken = report.status === "interrupted" || report.status === "failed";
  const reason = EXPECTED.includes(report.reason) ? "" : tongue.end(report.reason);
  return h(
    "div",
    { class: "opening" },
    h(
      "header",
      {},
      h("p", { class: "eyebrow when" }, [report.title, tongue.date(report.started_at)].filter(Boolean).join(" · ")),
      h("h1", { lang: page.spoken, "data-testid": "report-headline" }, feedback.headline),
      (broken || reason || report.exam) &&
        h("p", { class: "quiet-note", "data-testid": "end" }, [reason && tongue.t("end", { reason }), broken && tongue.t("cut"), report.exam && tongue.t("exam")].filter(Boolean).join(" ")),
    ),
    h(
      "div",
      { class: "remarks" },
      ...feedback.strengths.map((one, index) => strength(one, index, page)),
      feedback.priority
        ? remarkCard(tongue.t("priority"), feedback.priority, "priority", page, ...todo(report, page))
        : page.actions && h(
            "section",
            { class: "remark priority", "data-testid": "next-take" },
            h("p", { class: "eyebrow" }, tongue.t("next")),
            ...(feedback.drill || report.weakest_turn !== null
              ? todo(report, page)
              : [h("p", { class: "todo" }, h("a", { class: "button primary", href: page.actions.exercise(), "data-testid": "once-again" }, tongue.t("again")))]),
          ),
    ),
    report.worked && h("section", { class: "worked", "data-testid": "worked" }, h("p", { class: "eyebrow" }, tongue.t("worked")), h("p", {}, tongue.quote(report.worked))),
    rewrite(report, page),
  );
}
