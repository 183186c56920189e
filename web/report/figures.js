// The rest: every figure, what could not be measured, and how the report was made.

import { h } from "../dom.js";
import { details, tableOf } from "./parts.js";

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./report.js").Page} Page */

/** Why there is no value, and of what: each reason with all that lacks one because of it.
 * @param {Report} report @returns {[string, string[]][]} */
function missing(report) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const one of report.dimensions) if (one.state === "not_scored" && one.reason) found.set(one.label, one.reason);
  for (const one of report.dimensions) for (const part of one.parts) if (part.value === null && part.reason) found.set(part.label, part.reason);
  for (const one of report.measures) if (one.value === null && one.reason) found.set(one.label, one.reason);
  /** @type {Map<string, string[]>} */
  const reasons = new Map();
  for (const [label, reason] of found) reasons.set(reason, [...(reasons.get(reason) ?? []), label]);
  return [...reasons];
}

/** @param {Report} report @param {Page} page */
export function figures(report, { tongue, spoken }) {
  const known = report.measures.filter((one) => one.value !== null);
  const unknown = missing(report);
  const { snr, clipping, notes } = report.quality;
  const talked = report.reason !== "recording";
  const reason = talked ? tongue.end(report.reason) : "";
  /** @param {string} name */
  const stage = (name) => tongue.stage(report.stages[name] ?? "–");
  const unmeasured = details(
    "missing",
    [h("h2", {}, tongue.t("missing"))],
    h("ul", {}, ...unknown.map(([reason, labels]) => h("li", { lang: spoken }, h("strong", {}, reason), h("br"), `${labels.join(", ")}.`))),
  );
  unmeasured.dataset.testid = "missing";
  return h(
    "div",
    { class: "figures" },
    known.length > 0 &&
      details(
        "measures",
        [h("h2", {}, tongue.t("measures"))],
        tableOf(tongue.t("measures"), [tongue.t("why.measure"), tongue.t("measures.value"), tongue.t("measures.error")], known.map((one) => [
          one.label,
          one.value === null ? "–" : tongue.quantity(one.value, one),
          one.error === null ? "–" : tongue.t("measures.within", { n: tongue.value(one.error, one) }),
        ])),
      ),
    unknown.length > 0 && unmeasured,
    details(
      "about",
      [h("h2", {}, tongue.t("about"))],
      reason && h("p", { "data-testid": "how-it-ended" }, tongue.t("end", { reason })),
      h("p", {}, tongue.t(report.quality.words_heard ? "about.speech" : "about.speech.ear", { seconds: tongue.number(report.speech_seconds, 0), words: report.word_count })),
      h("h3", {}, tongue.t("quality")),
      snr !== null && h("p", {}, tongue.t("quality.snr", { n: tongue.number(snr, 0) })),
      clipping > 0.0005 && h("p", {}, tongue.t("quality.clipping", { share: tongue.share(clipping) })),
      ...notes.map((note) => h("p", {}, note)),
      talked && h("p", {}, tongue.t("about.stages", { stt: stage("stt"), llm: stage("llm"), tts: stage("tts") })),
      talked && h("p", {}, tongue.t("about.ai")),
    ),
  );
}
