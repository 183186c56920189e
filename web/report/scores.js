// The scores in two families: what is measured, and what is judged. Each says why.

import { h, s } from "../dom.js";
import { details } from "./parts.js";
import { jump } from "./playhead.js";

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./schema.d.ts").DimensionScore} DimensionScore */
/** @typedef {import("./schema.d.ts").Part} Part */
/** @typedef {import("./schema.d.ts").JudgedPart} JudgedPart */
/** @typedef {import("./schema.d.ts").Quote} Quote */
/** @typedef {import("./schema.d.ts").Event} Moment */
/** @typedef {import("./report.js").Page} Page */

const STATES = { pass: "✓", near: "≈", not_yet: "→", not_scored: "–" };

/** Whether it belongs to what is judged: a model read some of it, or would have had to, as it is
 * most of it. A criterion whose level follows from the measures makes none of it judged.
 * @param {DimensionScore} dimension */
const read = ({ score, judged, measured, judged_weight: share = 0, criteria }) =>
  criteria.some((one) => !one.measured)
  && (judged !== null || measured === null || (score === null && share >= 0.5));

/** Whether every score there is rests on little speech: then it is said once.
 * @param {Report} report */
function allProvisional({ dimensions }) {
  const scored = dimensions.filter((one) => one.score !== null);
  return scored.length > 0 && scored.every((one) => one.provisional);
}

/** Why nothing at all is scored, where it is one reason for all. @param {Report} report */
export function refusal({ dimensions, profile }) {
  if (profile === "child") return ""; // whose measures are told all the same
  const [first, ...others] = dimensions;
  if (!first) return "";
  const alike = first.reason !== "" && dimensions.length > 1 && others.every(({ reason }) => reason === first.reason);
  return alike && dimensions.every(({ state }) => state === "not_scored") ? first.reason : "";
}

/** A score between its limits, with the pass mark.
 * @param {{score: number | null, low: number | null, high: number | null}} range @param {number} mark
 * @param {Page} page */
function rangeBar({ score, low, high }, mark, { tongue }) {
  if (score === null || low === null || high === null) return null;
  return h(
    "div",
    { class: "range" },
    s(
      "svg",
      { viewBox: "0 0 200 18", preserveAspectRatio: "none", "aria-hidden": "true" },
      s("rect", { class: "range-rail", x: 0, y: 6, width: 200, height: 6, rx: 3 }),
      s("rect", { class: "range-span", x: 200 * low, y: 4, width: Math.max(3, 200 * (high - low)), height: 10, rx: 3 }),
      s("rect", { class: "range-score", x: 200 * score - 1, y: 1, width: 2, height: 16 }),
      s("line", { class: "range-mark", x1: 200 * mark, x2: 200 * mark, y1: 0, y2: 18 }),
    ),
    h("p", {}, tongue.t("range", { low: tongue.score(low), high: tongue.score(high) })),
  );
}

/** A value on its band: the target zone in full, what still passes in half. @param {Part} part */
function bandBar({ value, band }) {
  const known = band.filter((point) => point !== null);
  if (value === null || known.length === 0) return null;
  const [, lowPass, low, high, highPass] = band;
  const least = Math.min(value, band[0] ?? Math.min(0, ...known));
  const most = Math.max(value, band[5] ?? Math.max(...known) * 1.4);
  /** @param {number | null} point @param {number} open */
  const x = (point, open) => (point === null ? open : (200 * (point - least)) / (most - least || 1));
  /** @param {number | null} from @param {number | null} to @param {string} kind */
  const zone = (from, to, kind) => s("rect", { class: kind, x: x(from, 0), y: 4, width: Math.max(1, x(to, 200) - x(from, 0)), height: 8 });
  return s(
    "svg",
    { class: "band-bar", viewBox: "0 0 200 16", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "range-rail", x: 0, y: 4, width: 200, height: 8 }),
    zone(lowPass, highPass, "zone-near"),
    zone(low, high, "zone"),
    s("rect", { class: "range-score", x: Math.max(0, Math.min(197, x(value, 0) - 1.5)), y: 0, width: 3, height: 16 }),
  );
}

/** One measure of a dimension: its value, what it aims at, what it weighs and where its norm is
 * from. @param {Part} part @param {Page} page */
function partItem(part, page) {
  const { tongue } = page;
  const aim = tongue.target(part.band[2], part.band[3], part);
  return h(
    "li",
    {},
    h(
      "p",
      { class: "part-value" },
      h("strong", {}, part.label),
      h("span", {}, part.value === null ? "–" : tongue.quantity(part.value, part)),
    ),
    bandBar(part),
    part.value === null && part.reason && h("p", {}, part.reason),
    h(
      "p",
      { class: "quiet-note" },
      [
        aim && tongue.t("why.target", { band: aim }),
        part.score !== null && tongue.t("why.score", { score: tongue.score(part.score) }),
        tongue.t("why.weight", { share: tongue.share(part.weight) }),
      ].filter(Boolean).join(" · "),
    ),
    part.source && h("p", { class: "quiet-note" }, tongue.t("why.source", { source: part.source })),
  );
}

/** The learner's own words, to be heard. @param {Quote} quote @param {Page} page */
const quoteItem = (quote, { head, tongue, spoken }) =>
  h(
    "li",
    {},
    quote.start === null ? h("span", {}) : jump(head, tongue, quote.start, quote.end, tongue.quote(quote.text)),
    h("q", { lang: spoken }, quote.text),
  );

/** Every level of a criterion, the reached one marked. A median may lie between two.
 * @param {JudgedPart} criterion @param {Page} page */
function levels({ levels: all, level }, { tongue, spoken }) {
  const [from, to] = level === null ? [-1, -1] : [Math.floor(level), Math.ceil(level)];
  return h(
    "ol",
    { class: "levels", start: 0 },
    ...all.map((text, index) => {
      const reached = index === from || index === to;
      return h(
        "li",
        { class: reached ? "reached" : "" },
        reached && h("strong", { class: "reached-word" }, h("span", { "aria-hidden": "true" }, "● "), tongue.t(from === to ? "criterion.reached" : "criterion.between")),
        h("span", { lang: spoken }, text),
      );
    }),
  );
}

/** One criterion of the rubric. @param {JudgedPart} criterion @param {DimensionScore} dimension
 * @param {Page} page */
function criterionItem(criterion, dimension, page) {
  const { tongue } = page;
  const { low, high, score } = criterion;
  return h(
    "li",
    { "data-testid": `criterion-${criterion.criterion}` },
    h(
      "p",
      { class: "part-value" },
      h("span", {}, h("strong", {}, criterion.label), " ", h("span", { class: "kind" }, tongue.t(criterion.measured ? "kind.measured" : "kind.judged"))),
      h("span", {}, score === null ? "–" : tongue.t("why.score", { score: tongue.score(score) })),
    ),
    h("p", { class: "quiet-note" }, criterion.question),
    criterion.measured && h("p", { class: "quiet-note" }, tongue.t("criterion.measured")),
    criterion.reason && h("p", { class: "not-judged" }, criterion.reason),
    criterion.why && h("p", { lang: page.spoken }, criterion.why),
    criterion.quotes.length > 0 && h("p", { class: "list-title" }, tongue.t("criterion.quotes")),
    criterion.quotes.length > 0 && h("ul", { class: "moments" }, ...criterion.quotes.map((quote) => quoteItem(quote, page))),
    criterion.missing.length > 0 && h("p", { class: "list-title" }, tongue.t("criterion.missing")),
    criterion.missing.length > 0 && h("ul", { class: "missing" }, ...criterion.missing.map((one) => h("li", {}, one))),
    criterion.levels.length > 0 &&
      details(`levels-${dimension.dimension}-${criterion.criterion}`, [tongue.t("criterion.levels"), h("span", { class: "unseen" }, ` (${criterion.label})`)], levels(criterion, page)),
    h(
      "p",
      { class: "quiet-note" },
      [
        score !== null && low !== null && high !== null &&
          (low === high ? tongue.t("criterion.agreed") : tongue.t("criterion.spread", { low: tongue.score(low), high: tongue.score(high) })),
        tongue.t("why.weight", { share: tongue.share(criterion.weight) }),
      ].filter(Boolean).join(" · "),
    ),
  );
}

/** @param {Moment} moment @param {Report} report @param {Page} page */
function momentItem(moment, report, { head, tongue }) {
  const label = report.marks.find((mark) => mark.id === moment.id)?.label ?? moment.kind.replaceAll("_", " ");
  return h(
    "li",
    {},
    jump(head, tongue, moment.start, moment.end, label),
    h(
      "span",
      {},
      h("strong", {}, tongue.title(label)),
      moment.text && ` ${tongue.quote(moment.text)}`,
      moment.effect >= 0.005 && h("span", { class: "effect" }, tongue.t("effect", { n: tongue.score(moment.effect) })),
    ),
  );
}

/** What a dimension's score is made of, its two parts never mixed up.
 * @param {DimensionScore} dimension @param {Page} page */
function reasons(dimension, page) {
  const { tongue } = page;
  const both = dimension.criteria.some((one) => !one.measured) && dimension.parts.length > 0;
  /** @param {"measured" | "judged"} family @param {number | null} score @param {number} share */
  const title = (family, score, share) =>
    h("h4", { class: `part-title ${family}` }, score === null
      ? tongue.t(family === "measured" ? "why.part.measured.none" : "why.part.judged.none")
      : tongue.t(family === "measured" ? "why.part.measured" : "why.part.judged", { score: tongue.score(score), share: tongue.share(share) }));
  return [
    dimension.parts.length > 0 && h(
      "div",
      { class: "why-part" },
      both && title("measured", dimension.measured, 1 - dimension.judged_weight),
      h("ul", { class: "parts" }, ...dimension.parts.map((part) => partItem(part, page))),
    ),
    dimension.criteria.length > 0 && h(
      "div",
      { class: "why-part" },
      both && title("judged", dimension.judged, dimension.judged_weight),
      h("ul", { class: "parts" }, ...dimension.criteria.map((one) => criterionItem(one, dimension, page))),
    ),
  ];
}

/** @param {DimensionScore} dimension @param {Report} report @param {Page} page */
function scoreCard(dimension, report, page) {
  const { tongue } = page;
  const { state, dimension: name } = dimension;
  const events = [...dimension.events].sort((a, b) => b.effect - a.effect);
  return h(
    "section",
    { class: `score ${state}`, "data-testid": `score-${name}` },
    h("h4", { class: "score-name" }, dimension.label, h("span", { class: "state" }, h("span", { "aria-hidden": "true" }, STATES[state]), tongue.t(`state.${state}`))),
    rangeBar(dimension, report.passing_score, page),
    (dimension.summary || dimension.reason) && h("p", { lang: page.spoken }, dimension.summary || dimension.reason),
    dimension.provisional && !allProvisional(report) && h("p", { class: "quiet-note" }, tongue.t("provisional.one")),
    (dimension.parts.length > 0 || dimension.criteria.length > 0) &&
      details(
        `why-${name}`,
        [tongue.t("why"), h("span", { class: "unseen" }, ` ${dimension.label}`)],
        dimension.coverage < 1 && h("p", { class: "quiet-note" }, tongue.t("coverage", { share: tongue.share(dimension.coverage) })),
        ...reasons(dimension, page),
      ),
    events.length > 0 &&
      details(
        `events-${name}`,
        [`${tongue.t("events")} (${events.length})`, h("span", { class: "unseen" }, ` ${dimension.label}`)],
        h("ul", { class: "moments" }, ...events.map((moment) => momentItem(moment, report, page))),
      ),
  );
}

/** Remarks on the content that need no model. @param {Report} report @param {Page} page */
const hints = ({ content }, page) =>
  h(
    "div",
    { class: "hints", "data-testid": "hints" },
    h("h4", {}, page.tongue.t("hints")),
    h("p", { class: "quiet-note" }, page.tongue.t("hints.help")),
    h(
      "ul",
      {},
      ...content.hints.map((hint) =>
        h(
          "li",
          {},
          h("p", {}, h("strong", {}, hint.label), h("span", { class: `hint-state ${hint.found ? "seen" : ""}` }, h("span", { "aria-hidden": "true" }, hint.found ? "✓ " : "○ "), page.tongue.t(hint.found ? "hints.found" : "hints.not_found"))),
          h("p", {}, hint.text),
          hint.quotes.length > 0 && h("ul", { class: "moments" }, ...hint.quotes.map((quote) => quoteItem(quote, page))),
        )),
    ),
  );

/** A button that has the content judged. @param {() => Promise<void>} ask says why not, as an error
 * @param {Page} page */
function asking(ask, { tongue }) {
  const told = h("p", { role: "alert" });
  const button = h("button", { type: "button", "data-testid": "judge", "data-key": "judge" }, tongue.t("judged.ask"));
  button.addEventListener("click", async () => {
    try {
      await ask();
    } catch (error) {
      told.textContent = error instanceof Error ? error.message : String(error);
    }
  });
  return h("div", {}, button, told);
}

/** What the judged scores rest on. @param {Report} report @param {Page} page */
function judge({ content }, page) {
  const { tongue, actions } = page;
  if (content.state === "pending") return h("p", { class: "pending", "data-testid": "content-pending" }, tongue.t("judged.pending"));
  if (content.state === "not_judged") {
    return h(
      "div",
      { class: "not-judged", "data-testid": "not-judged" },
      h("p", {}, content.reason || tongue.t("judged.none")),
      actions?.judge && asking(actions.judge, page),
    );
  }
  return [
    h("p", { class: "quiet-note" }, tongue.t("judged.help")),
    h("p", { class: "quiet-note", "data-testid": "judged-by" }, [
      tongue.t("judged.by", { title: content.rubric_title || content.rubric, model: content.model, provider: content.provider, prompt: String(content.prompt_version ?? "–") }),
      content.spread !== null && tongue.t("judged.spread", { share: tongue.share(content.spread) }),
      content.rubric_source && tongue.t("judged.source", { source: content.rubric_source }),
    ].filter(Boolean).join(" ")),
  ];
}

/** @param {Report} report @param {Page} page */
function overall({ overall: all, dimensions }, { tongue }) {
  if (!all) return null;
  const total = Object.values(all.weights).reduce((a, b) => a + b, 0) || 1;
  const weights = Object.entries(all.weights).map(([name, weight]) => tongue.t("overall.weight", {
    dimension: dimensions.find((one) => one.dimension === name)?.label ?? name, share: tongue.share(weight / total),
  }));
  return h(
    "p",
    { class: "overall quiet-note", "data-testid": "overall" },
    tongue.t("overall", { low: tongue.score(all.low), high: tongue.score(all.high), state: tongue.t(`state.${all.state}`).toLowerCase() }),
    ` ${weights.join(" · ")}.`,
  );
}

/** @param {Report} report @param {Page} page */
export function scores(report, page) {
  const { tongue } = page;
  if (report.dimensions.length === 0) return null;
  const judged = report.dimensions.filter(read);
  const measured = report.dimensions.filter((one) => !read(one));
  const refused = refusal(report);
  if (refused) {
    return h(
      "section",
      { class: "scores", "data-testid": "scores" },
      h("h2", {}, tongue.t("scores")),
      h("p", { lang: page.spoken }, refused),
      h("p", { class: "quiet-note" }, tongue.t("scores.none", { names: report.dimensions.map(({ label }) => label).join(", ") })),
    );
  }
  const told = judge(report, page);
  return h(
    "section",
    { class: "scores", "data-testid": "scores" },
    h("h2", {}, tongue.t("scores")),
    report.dimensions.some((one) => one.score !== null) &&
      h("p", { class: "quiet-note" }, tongue.t("scores.help", { mark: tongue.score(report.passing_score) })),
    allProvisional(report) && h("p", { class: "profile-note", "data-testid": "provisional" }, tongue.t("provisional")),
    report.profile !== "native" && h("p", { class: "profile-note", "data-testid": "profile" }, tongue.t(`profile.${report.profile}`)),
    measured.length > 0 && h(
      "div",
      { class: "score-family measured", "data-testid": "measured" },
      h("h3", {}, tongue.t("measured")),
      h("p", { class: "quiet-note" }, tongue.t("measured.help")),
      h("div", { class: "score-cards" }, ...measured.map((one) => scoreCard(one, report, page))),
    ),
    (judged.length > 0 || report.content.state !== "not_judged" || report.content.hints.length > 0) && h(
      "div",
      { class: "score-family judged", "data-testid": "judged" },
      h("h3", {}, tongue.t("judged")),
      ...(Array.isArray(told) ? told : [told]),
      h("div", { class: "score-cards" }, ...judged.map((one) => scoreCard(one, report, page))),
      report.content.hints.length > 0 && hints(report, page),
    ),
    overall(report, page),
  );
}
