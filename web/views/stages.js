// Which provider serves each stage, what leaves the machine, and the way out of talking by ear.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { language, size, t } from "../i18n.js";
import { modelWords, problemWords, providerWords, standbyWords } from "../words.js";

/** @typedef {import("../api.js").Stages} Stages */
/** @typedef {import("../api.js").Model} Model */

const STAGES = /** @type {const} */ (["stt", "llm", "tts"]);
/** Milliseconds between two looks at a download. */
const LOOK = 700;

/** @param {Stages} stages */
export function stageList(stages) {
  const leaves = STAGES.some((stage) => [stages[stage], ...stages[stage].standby].some((one) => one.leaves_machine));
  const lacks = STAGES.some((stage) => stages[stage].passed_over);
  return h(
    "details",
    { class: "stages", open: leaves || lacks, "data-testid": "stages" },
    h(
      "summary",
      {},
      icon("lock"),
      h("span", {}, h("strong", {}, t("stages.title")), h("br"), t(leaves ? "stages.some_leave" : "stages.local")),
    ),
    h(
      "dl",
      {},
      ...STAGES.flatMap((stage) => {
        const { leaves_machine: where, ready, mend, standby, passed_over: lacking } = stages[stage];
        const { name, detail } = providerWords(stage, stages[stage]);
        return [
          h("dt", {}, t(`stages.${stage}`)),
          h(
            "dd",
            {},
            h("strong", {}, name),
            !ready && h("span", { class: "tag bad" }, t("stages.not_ready")),
            h("br"), detail, " ",
            h("span", { class: where ? "tag away" : "tag" }, where ? t("stages.leaves", { where }) : t("stages.stays")),
            !ready && mend && h("p", {}, mend),
            lacking && h("p", {}, h("span", { class: "tag bad" }, t("stages.not_ready")), " ", lacking),
            standby.length > 0 && h("p", {}, t("stages.standby"), " ", standby.map((one) => standbyWords(stage, one)).join(", ")),
          ),
        ];
      }),
    ),
  );
}

/** What keeps the exercise from starting, or nothing. @param {Stages} stages */
export function blocked(stages) {
  const missing = STAGES.filter((stage) => !stages[stage].ready && !stages[stage].by_ear);
  if (missing.length === 0) return null;
  return h(
    "div",
    { class: "note bad", role: "alert", "data-testid": "blocked" },
    icon("warning"),
    h(
      "div",
      {},
      h("p", {}, h("strong", {}, t("stages.blocked"))),
      h("ul", {}, ...missing.map((stage) => h("li", {}, `${stages[stage].detail} ${stages[stage].mend}`))),
    ),
  );
}

/**
 * The plain sentence about talking by ear, with the model that would recognise words.
 * @param {string} name of the character @param {Model | undefined} model
 * @param {() => Promise<boolean>} installed called when the model is there; whether it is used
 */
export function byEar(name, model, installed) {
  const progress = h("div", { class: "download", tabindex: -1 });
  const element = h(
    "div",
    { class: "note", "data-testid": "by-ear" },
    icon("ear"),
    h("div", {}, h("p", {}, h("strong", {}, `${t("ear.title", { name })}.`)), h("p", {}, t("ear.text")), progress),
  );
  let watching = true;
  if (model) draw(model);

  /** @param {Model} now */
  function draw(now) {
    if (now.state === "downloading") {
      const total = now.total || now.size;
      progress.replaceChildren(
        h("label", {}, t("ear.progress", { received: size(now.received), total: size(total) }), h("progress", { max: total, value: now.received })),
      );
      setTimeout(() => void look(now.name), LOOK);
    } else if (now.state === "installed") {
      void finish();
    } else {
      const failed = now.state === "failed"
        ? [h("p", { role: "alert" }, t("ear.failed"), " ", now.message, " ", t("ear.failed.mend"))]
        : [];
      progress.replaceChildren(
        ...failed,
        h(
          "button",
          { "data-testid": "download-model", onclick: () => void start(now) },
          icon("download"), t("ear.get", { size: size(now.size) }),
        ),
        h("small", {}, modelWords(now)),
      );
    }
  }

  async function finish() {
    progress.replaceChildren(h("p", { role: "status" }, t("app.loading")));
    if (await installed()) element.replaceChildren(icon("check"), h("p", { role: "status" }, t("ear.done")));
    else progress.replaceChildren(h("p", { role: "status" }, t("ear.unused")));
  }

  /** @param {Model} wanted */
  async function start(wanted) {
    progress.focus(); // the button goes away
    try {
      await api.download(wanted.name);
      draw({ ...wanted, state: "downloading" });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      draw({ ...wanted, state: "failed", message: said(error) });
    }
  }

  /** @param {string} wanted */
  async function look(wanted) {
    if (!watching || !element.isConnected) return;
    try {
      const now = (await api.models()).find((one) => one.name === wanted);
      if (now) draw(now);
    } catch (error) {
      if (!(error instanceof api.Problem) || !model) throw error;
      draw({ ...model, state: "failed", message: said(error) });
    }
  }

  return { element, leave: () => (watching = false) };
}

/** @param {api.Problem} error */
const said = ({ code, title, detail, mend }) =>
  problemWords({ code, title, message: detail, mend }).title;

/** The smallest model that would recognise words in the page's language.
 * @returns {Promise<Model | undefined>} */
export async function recogniser() {
  const fitting = (await api.models()).filter(
    (model) => model.stage === "stt" && ["mul", language()].includes(model.language) && !model.installed,
  );
  return fitting.sort((a, b) => a.size - b.size)[0];
}
