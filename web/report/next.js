// What comes after: the goal as an if-then plan, and when to come back.

import { h } from "../dom.js";
import { refusal } from "./scores.js";

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./report.js").Page} Page */

/** The goal of this session. @param {Report} report @param {Page} page */
function held({ goal }, { tongue }) {
  if (!goal) return null;
  const word = goal.held === null ? "goal.unknown" : goal.held ? "goal.held" : "goal.not_held";
  return h(
    "div",
    { class: "next-part", "data-testid": "goal" },
    h("h3", {}, tongue.t("goal"), h("span", { class: "goal-state" }, h("span", { "aria-hidden": "true" }, goal.held ? "✓ " : "○ "), tongue.t(word))),
    h("p", { class: "plan" }, goal.plan),
    goal.sentence && h("p", {}, goal.sentence),
  );
}

/** The goal proposed for next time, in the learner's words if they want.
 * @param {Report} report @param {Page} page */
function proposed({ proposal, plan }, { tongue, actions }) {
  const text = plan || proposal?.plan;
  if (!text && !actions) return null;
  const field = h("textarea", { rows: 3, maxlength: 500, "data-testid": "plan", "data-key": "plan" }, text ?? "");
  const told = h("p", { class: "quiet-note", role: "status" });
  const keep = async () => {
    try {
      await actions?.note({ plan: field.value.trim() });
      told.textContent = tongue.t("proposal.saved");
    } catch {
      told.textContent = tongue.t("proposal.failed");
    }
  };
  const form = h(
    "form",
    { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); void keep(); } },
    h("label", {}, h("span", {}, tongue.t("proposal.edit")), field),
    h("button", { "data-testid": "plan-save" }, tongue.t("proposal.save")),
    told,
  );
  return h(
    "div",
    { class: "next-part", "data-testid": "proposal" },
    h("h3", {}, tongue.t("proposal")),
    proposal && h("p", { class: "eyebrow" }, proposal.label),
    actions ? form : h("p", { class: "plan" }, text),
  );
}

/** @param {Report} report @param {Page} page */
function meeting({ appointment }, { tongue }) {
  if (!appointment) return null;
  const [first, last] = [tongue.day(appointment.first), tongue.day(appointment.last)];
  return h(
    "div",
    { class: "next-part", "data-testid": "appointment" },
    h("h3", {}, tongue.t("appointment")),
    h("p", { class: "plan" }, first === last ? tongue.t("appointment.date", { first }) : tongue.t("appointment.dates", { first, last })),
    h("p", {}, appointment.sentence),
  );
}

/** @param {Report} report @param {Page} page */
export function next(report, page) {
  const refused = refusal(report) !== ""; // too little took place to wait before the next
  if (refused && !report.goal && !report.proposal && !report.plan) return null;
  const parts = [held(report, page), proposed(report, page), !refused && meeting(report, page)].filter(Boolean);
  if (parts.length === 0) return null;
  return h("section", { class: "next" }, h("h2", {}, page.tongue.t("next")), h("div", { class: "next-parts" }, ...parts));
}
