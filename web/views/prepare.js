// Before talking: what to aim at, with whom, what is kept and what leaves the machine.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { language, number, t } from "../i18n.js";
import { planOf, remember, settings } from "../settings.js";
import { back, dimensionName, face, facts } from "./parts.js";
import { blocked, byEar, recogniser, stageList } from "./stages.js";

/** @typedef {import("../settings.js").Plan} Plan */

/** @param {string} id @returns {Promise<import("../main.js").Shown>} */
export async function prepare(id) {
  const [exercise, status, goals] = await Promise.all([
    api.exercise(language(), id), api.status(), goalsOf(id),
  ]);
  const plan = planOf(id);
  plan.practice = null;
  const stages = status.stages[language()];
  const { character } = exercise;
  const ear = stages.stt.by_ear ? byEar(character.name, await recogniser(), refresh) : null;
  const stop = blocked(stages);
  let listed = stageList(stages);
  const { live, most = Infinity } = status.capacity;

  const node = h(
    "article",
    { class: "narrow prepare" },
    back("#/", t("nav.exercises")),
    h("h1", {}, exercise.title),
    h("p", { class: "lead" }, exercise.description),
    facts(exercise),
    exercise.goal && h("section", { class: "goal" }, h("h2", {}, icon("target"), t("prepare.goal")), h("p", {}, exercise.goal)),
    h(
      "section",
      { class: "partner" },
      face(character),
      h(
        "div",
        {},
        h("h2", {}, character.name, character.role && h("span", { class: "role" }, character.role)),
        h("p", {}, character.description),
        h("p", { class: "ai", "data-testid": "ai-notice" }, t("prepare.partner.ai", { name: character.name })),
      ),
    ),
    aim(goals, plan),
    exercise.tips.length > 0 &&
      h("section", {}, h("h2", {}, t("prepare.tips")), h("ul", { class: "tips" }, ...exercise.tips.map((tip) => h("li", {}, tip)))),
    h(
      "section",
      {},
      h("h2", {}, t("prepare.dimensions")),
      h("ul", { class: "chips" }, ...exercise.dimensions.map((one) => h("li", {}, dimensionName(one)))),
    ),
    h("section", {}, h("h2", {}, t("prepare.choices")), choices(exercise, plan)),
    ear?.element,
    listed,
    stop,
    live >= most && h("p", { class: "note bad", role: "alert" }, icon("warning"), t("prepare.full", { live, most })),
    !stop && h("p", { class: "why" }, t("prepare.why_microphone")),
    !stop && h(
      "div",
      { class: "go" },
      h("a", { class: "button primary", href: `#/exercise/${id}/microphone`, "data-testid": "to-microphone" }, icon("microphone"), t("prepare.go")),
    ),
  );

  /** A model came: shows what serves each stage from now on. Answers whether words are heard. */
  async function refresh() {
    const now = (await api.status()).stages[language()];
    const next = stageList(now);
    next.open = listed.open;
    listed.replaceWith(next);
    listed = next;
    return !now.stt.by_ear;
  }

  return { title: exercise.title, node, leave: ear?.leave };
}

/** What may be worked on; nothing where the server cannot say: one can talk all the same.
 * @param {string} id @returns {ReturnType<typeof api.goals>} */
async function goalsOf(id) {
  try {
    return await api.goals(language(), id);
  } catch (error) {
    if (error instanceof api.Problem) return { proposal: null, choices: [] };
    throw error;
  }
}

/** What the learner works on this time, as an if-then plan: what is proposed, another, or nothing.
 * @param {{proposal: api.Goal | null, choices: api.Goal[]}} goals @param {Plan} plan */
function aim({ proposal, choices: known }, plan) {
  if (known.length === 0) return null;
  const chosen = plan.goal ?? proposal?.measure ?? "";
  const sentence = h("p", { class: "aim", role: "status", "data-testid": "aim" });
  /** @param {string} measure */
  const choose = (measure) => {
    plan.goal = measure;
    plan.aim = known.find((one) => one.measure === measure)?.plan ?? "";
    sentence.textContent = plan.aim || t("prepare.aim.none.help");
  };
  const select = h(
    "select",
    { "data-testid": "goal" },
    h("option", { value: "", selected: chosen === "" }, t("prepare.aim.none")),
    ...known.map((one) =>
      h(
        "option",
        { value: one.measure, selected: one.measure === chosen },
        one.measure === proposal?.measure ? t("prepare.aim.proposed", { label: one.label }) : one.label,
      ),
    ),
  );
  select.addEventListener("change", () => choose(select.value));
  choose(known.some((one) => one.measure === chosen) ? chosen : "");
  return h(
    "section",
    { class: "aims" },
    h("h2", {}, t("prepare.aim")),
    h("label", { class: "field" }, t("prepare.aim.label"), select),
    sentence,
  );
}

/** @param {import("../api.js").Exercise} exercise @param {Plan} plan */
function choices(exercise, plan) {
  return h(
    "form",
    { class: "choices", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    exercise.scenarios.length > 1 && scenarios(exercise, plan),
    tick("warm-up", t("prepare.warm_up"), t("prepare.warm_up.help"), settings.warmUp, (on) => remember({ warmUp: on })),
    tick("keep-audio", t("prepare.keep"), t("prepare.keep.help"), plan.keepAudio, (on) => {
      plan.keepAudio = on;
    }),
    h(
      "details",
      { class: "more", "data-testid": "more" },
      h("summary", {}, t("prepare.more")),
      patience(exercise, plan.patience ?? exercise.patience.maximum, exercise.character.name, (seconds) => {
        plan.patience = seconds;
      }),
      tick("hints", t("prepare.hints"), t("prepare.hints.help"), settings.hints, (on) => remember({ hints: on })),
      tick("exam", t("prepare.exam"), t("prepare.exam.help"), plan.exam, (on) => {
        plan.exam = on;
      }),
      tick("push-to-talk", t("prepare.ptt"), t("prepare.ptt.help"), plan.pushToTalk, (on) => {
        plan.pushToTalk = on;
      }),
      profile(),
    ),
  );
}

/** Whose norms the report compares with: kept for all exercises. */
function profile() {
  const known = /** @type {const} */ (["native", "learner", "speech_difference", "child"]);
  const help = h("small", { id: "profile-help", role: "status" });
  /** @param {typeof known[number]} one */
  const explain = (one) => (help.textContent = t(`profile.${one}.help`));
  const select = h(
    "select",
    { "data-testid": "profile", "aria-describedby": "profile-help" },
    ...known.map((one) => h("option", { value: one, selected: one === settings.profile }, t(`profile.${one}`))),
  );
  select.addEventListener("change", () => {
    const one = known[select.selectedIndex];
    remember({ profile: one });
    explain(one);
  });
  explain(settings.profile);
  return h("div", { class: "profile" }, h("label", { class: "field" }, t("profile"), select), help);
}

/** @param {import("../api.js").Exercise} exercise @param {Plan} plan */
function scenarios(exercise, plan) {
  return h(
    "fieldset",
    { class: "scenarios" },
    h("legend", {}, t("prepare.scenario")),
    ...exercise.scenarios.map((scenario, index) =>
      h(
        "label",
        { class: "option" },
        h("input", {
          type: "radio", name: "scenario", value: scenario.id,
          checked: plan.scenario === scenario.id || (plan.scenario === null && index === 0),
          onchange: () => (plan.scenario = scenario.id),
        }),
        h("span", {}, h("strong", {}, scenario.title), scenario.description && h("small", {}, scenario.description)),
      ),
    ),
  );
}

/** How long the character waits. @param {import("../api.js").Exercise} exercise
 * @param {number} value @param {string} name @param {(seconds: number) => void} changed */
function patience(exercise, value, name, changed) {
  const help = `patience-help`;
  const most = Math.max(6, exercise.patience.maximum);
  return patienceSlider({ value, most, help, helpText: t("prepare.patience.help", { name }), changed });
}

/** A slider of seconds that says its value.
 * @param {{value: number, most: number, help: string, helpText: string, changed: (seconds: number) => void}} parts */
export function patienceSlider({ value, most, help, helpText, changed }) {
  /** @param {number} seconds */
  const words = (seconds) => t("prepare.seconds", { n: number(seconds, { minimumFractionDigits: 1 }) });
  const output = h("output", {}, words(value));
  const slider = h("input", {
    type: "range", min: 0.5, max: most, step: 0.5, value, "data-testid": "patience",
    "aria-describedby": help, "aria-valuetext": words(value),
  });
  slider.addEventListener("input", () => {
    const seconds = Number(slider.value);
    output.textContent = words(seconds);
    slider.setAttribute("aria-valuetext", words(seconds));
    changed(seconds);
  });
  return h(
    "div",
    { class: "slider" },
    h("label", {}, h("strong", {}, t("prepare.patience")), output, slider),
    h("small", { id: help }, helpText),
  );
}

/** @param {string} id @param {string} label @param {string} help @param {boolean} on
 * @param {(on: boolean) => void} changed */
export function tick(id, label, help, on, changed) {
  const box = h("input", { type: "checkbox", checked: on, "data-testid": id, "aria-describedby": help && `${id}-help` });
  box.addEventListener("change", () => changed(box.checked));
  return h(
    "div",
    { class: "option" },
    h("label", {}, box, h("strong", {}, label)),
    help && h("small", { id: `${id}-help` }, help),
  );
}
