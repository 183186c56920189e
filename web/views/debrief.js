// Before the report of a fresh conversation: the learner's own view comes first.

import * as api from "../api.js";
import { h } from "../dom.js";
import { t } from "../i18n.js";

/** Seconds after its end in which a conversation is fresh. */
const FRESH = 1800;

/** Sessions whose learner has answered, or wants to see the report at once. @type {Set<string>} */
const answered = new Set();

/** Whether the learner is asked first. @param {import("../report/schema.d.ts").Report} report */
export function asked(report) {
  const since = Date.now() / 1000 - (report.started_at + report.duration);
  return (
    report.purpose === "exercise" && report.reason !== "recording" && report.worked === "" &&
    since < FRESH && since > -FRESH && !answered.has(report.session) &&
    report.turns.some((turn) => turn.speaker === "learner" && turn.phase === "exercise")
  );
}

/**
 * The question. `show` is called with what the learner said, once it is kept or skipped.
 * @param {import("../report/schema.d.ts").Report} report @param {(worked: string) => void} show
 */
export function debrief(report, show) {
  const field = h("textarea", { id: "worked", rows: 4, maxlength: 2000, "data-testid": "worked-text", "aria-describedby": "worked-help" });
  const told = h("p", { class: "note bad", role: "alert", hidden: true });

  /** @param {string} worked */
  function leave(worked) {
    answered.add(report.session);
    show(worked);
  }

  /** @param {SubmitEvent} event */
  async function keep(event) {
    event.preventDefault();
    const worked = field.value.trim();
    if (worked === "") {
      leave("");
      return;
    }
    try {
      await api.note(report.session, { worked });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      told.hidden = false;
      told.textContent = t("debrief.failed");
      return;
    }
    leave(worked);
  }

  return h(
    "form",
    { class: "debrief narrow", "data-testid": "debrief", onsubmit: (/** @type {SubmitEvent} */ event) => void keep(event) },
    h("p", { class: "eyebrow" }, t("debrief.eyebrow")),
    h("h1", {}, h("label", { for: "worked" }, t("debrief.question"))),
    h("p", { id: "worked-help", class: "lead" }, t("debrief.help")),
    field,
    told,
    h(
      "p",
      { class: "actions" },
      h("button", { class: "primary", "data-testid": "debrief-show" }, t("debrief.show")),
      h("button", { type: "button", class: "quiet", "data-testid": "debrief-skip", onclick: () => leave("") }, t("debrief.skip")),
    ),
  );
}
