// The first view: what there is to practise.

import * as api from "../api.js";
import { h } from "../dom.js";
import { language, t } from "../i18n.js";
import { live, notice } from "./live.js";
import { face, facts, sign } from "./parts.js";

/** @param {import("../api.js").Exercise} exercise */
const card = (exercise) =>
  h(
    "li",
    { class: "card exercise" },
    sign(exercise.icon),
    h(
      "div",
      { class: "card-body" },
      h(
        "h2",
        {},
        h("a", { href: `#/exercise/${exercise.id}`, "data-testid": `exercise-${exercise.id}` }, exercise.title),
      ),
      h("p", {}, exercise.description),
      h(
        "div",
        { class: "card-foot" },
        h("span", { class: "with" }, face(exercise.character), t("exercises.with", { name: exercise.character.name })),
        facts(exercise),
      ),
    ),
  );

/** @returns {Promise<import("../main.js").Shown>} */
export async function exercises() {
  const found = await api.exercises(language());
  const going = h("div");
  // The exercises do not wait for it, and are there without it.
  live().then((sessions) => going.replaceChildren(...sessions.map(notice)), () => {});
  return {
    title: t("nav.exercises"),
    node: h(
      "section",
      { "data-testid": "exercises" },
      h("h1", {}, t("exercises.title")),
      h("p", { class: "lead" }, t("exercises.lead")),
      going,
      found.length > 0
        ? h("ul", { class: "cards" }, ...found.map(card))
        : h("p", { class: "empty" }, t("exercises.empty")),
    ),
  };
}
