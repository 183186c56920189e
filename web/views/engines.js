// Who hears, answers and speaks, for operators: what leaves the machine, what is missing, and another
// choice for the next conversations.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { known, language, t } from "../i18n.js";
import { problemWords, providerWords } from "../words.js";
import { back } from "./parts.js";
import { plugins } from "./plugins.js";

/** @typedef {import("../api.js").Engines} Engines */
/** @typedef {import("../api.js").EngineStage} EngineStage */
/** @typedef {import("../api.js").Engine} Engine */
/** @typedef {import("../api.js").EngineOption} Option */
/** @typedef {import("../api.js").Wanted} Wanted */

const PICTURES = { stt: "ear", llm: "chat", tts: "speaker" };
/** @type {Record<string, string>} */
const VENDORS = { openai: "OpenAI", elevenlabs: "ElevenLabs", azure: "Azure", google: "Google", piper: "Piper", supertonic: "Supertonic" };
const AUTO = "auto";
/** Options that stand before all others. */
const FIRST = ["model", "voice"];
/** How many may take over, at most, on this page. */
const MOST = 3;

/** @returns {Promise<import("../main.js").Shown>} */
export async function engines() {
  const [found, taking] = await Promise.all([api.engines(), api.plugins()]);
  return {
    title: t("engines.title"),
    node: h(
      "article",
      { class: "narrow engines" },
      back("#/about", t("nav.about")),
      h("h1", {}, t("engines.title")),
      h("p", { class: "lead" }, t("engines.lead")),
      found.problem && h(
        "div",
        { class: "note bad", role: "alert", "data-testid": "settings-problem" },
        icon("warning"),
        h("div", {}, h("p", {}, h("strong", {}, t("engines.problem"))), h("p", { class: "detail" }, found.problem.detail, " ", found.problem.mend)),
      ),
      ...found.stages.map((stage) => section(stage)),
      plugins(taking),
      h("p", { class: "muted" }, t("engines.file", { file: found.file })),
    ),
  };
}

/** @param {EngineStage} first */
function section(first) {
  const element = h("section", { class: "engine", "data-testid": `engine-${first.stage}`, "aria-labelledby": `engine-${first.stage}` });
  const told = h("div", { role: "status", class: "engine-told" });

  /** @param {EngineStage} stage */
  function draw(stage) {
    element.replaceChildren(
      h("h2", { id: `engine-${stage.stage}` }, icon(PICTURES[stage.stage]), t(`stages.${stage.stage}`)),
      now(stage),
      told,
      form(stage, save, ask),
    );
  }

  /** @param {Wanted} wanted */
  async function save(wanted) {
    told.replaceChildren();
    try {
      const changed = await api.chooseEngine(first.stage, wanted);
      draw(changed);
      told.replaceChildren(
        h("p", { class: "note", "data-testid": "saved" }, icon("check"), t("engines.saved")),
        ...changed.warnings.filter((one) => one.code !== "locked").map((one) => h("p", { class: "note", "data-testid": "engine-warning" }, icon("warning"), warned(first.stage, one))),
      );
      /** @type {HTMLElement | null} */ (element.querySelector("[data-testid=save]"))?.focus();
    } catch (error) {
      told.replaceChildren(refused(error));
    }
  }

  async function ask() {
    told.replaceChildren(h("p", { class: "muted" }, t("engines.asking")));
    try {
      const answers = await api.checkEngines(first.stage);
      told.replaceChildren(
        h(
          "ul",
          { class: "engine-answers", "data-testid": "answers" },
          ...Object.entries(answers).map(([name, by]) => {
            const { ready, detail, mend } = by[language()];
            return h(
              "li",
              {},
              icon(ready ? "check" : "warning"),
              h("span", {}, h("strong", {}, nameOf(first.stage, name)), " ", t(ready ? "engines.well" : "engines.unwell"), !ready && h("span", { class: "detail" }, " ", detail, " ", mend)),
            );
          }),
        ),
      );
    } catch (error) {
      told.replaceChildren(refused(error));
    }
  }

  draw(first);
  return element;
}

/** Who serves now. @param {EngineStage} stage */
function now(stage) {
  const { chosen, fallback, last } = stage;
  const readiness = chosen.readiness[language()];
  const serves = chosen.serves[language()];
  const told = providerWords(stage.stage, { ...readiness, provider: serves, by_ear: serves === "none", standby: [], passed_over: "" });
  const after = [
    ...fallback.map((one) => nameOf(stage.stage, one.provider)),
    ...last[language()].map((one) => nameOf(stage.stage, one)),
  ];
  return h(
    "div",
    { class: "engine-now" },
    h(
      "p",
      {},
      h("strong", {}, told.name), " ",
      chosen.provider === AUTO && h("span", { class: "muted" }, t("engines.automatic")), " ",
      goes(readiness),
      !readiness.ready && h("span", { class: "tag bad" }, t("stages.not_ready")),
      readiness.ready && h("br"), readiness.ready && told.detail,
    ),
    !readiness.ready && h(
      "div",
      { class: "note bad" },
      icon("warning"),
      h("div", {}, h("p", {}, t("engines.lacks")), h("p", { class: "detail" }, readiness.detail, " ", readiness.mend)),
    ),
    after.length > 0 && h("p", { class: "muted" }, t("stages.standby"), " ", after.join(", ")),
    stage.locked && h("p", { class: "note", "data-testid": "locked" }, icon("lock"), t("engines.locked", { variable: stage.locked })),
  );
}

/** Where words go; nothing of what is not set up, as nobody knows yet. @param {import("../api.js").Readiness} readiness */
const goes = ({ ready, leaves_machine: where }) =>
  (ready || where) && h("span", { class: where ? "tag away" : "tag" }, where ? t("stages.leaves", { where }) : t("stages.stays"));

/** @param {string} stage @param {import("../api.js").Warned} warning */
function warned(stage, { code, message, places }) {
  const key = `engines.warning.${code}`;
  if (!known(key)) return message;
  return t(key, { ...places, owner: VENDORS[places.owner] ?? places.owner, provider: nameOf(stage, places.provider) });
}

/** @param {string} stage @param {string} provider */
function nameOf(stage, provider) {
  if (provider === AUTO) return t("engines.auto");
  const key = `provider.${stage}.${provider}`;
  return known(key) ? t(key) : provider;
}

/** Another choice. @param {EngineStage} stage @param {(wanted: Wanted) => Promise<void>} save @param {() => Promise<void>} ask */
function form(stage, save, ask) {
  const { chosen, offers } = stage;
  const fields = h("div", { class: "engine-fields" });
  const provider = h(
    "select",
    { "data-testid": "provider" },
    h("option", { value: AUTO, selected: chosen.provider === AUTO }, t("engines.auto")),
    ...offers.map((one) => h("option", { value: one.provider, selected: one.provider === chosen.provider, disabled: !one.installed }, offered(stage, one))),
  );
  /** @type {Map<Option, HTMLInputElement>} */
  const inputs = new Map();

  function redraw() {
    inputs.clear();
    const offer = offers.find((one) => one.provider === provider.value);
    const given = provider.value === chosen.provider ? chosen.options : {};
    const options = (offer?.options ?? []).filter((one) => !one.secret && one.type !== "other");
    const [first, rest] = [options.filter((one) => FIRST.includes(one.name)), options.filter((one) => !FIRST.includes(one.name))];
    const readiness = offer?.readiness[language()];
    fields.replaceChildren(
      ...(offer && readiness && provider.value !== chosen.provider
        ? [h("p", { class: "engine-offer" }, goes(readiness), !readiness.ready && h("span", { class: "tag bad" }, t("stages.not_ready")), !readiness.ready && h("span", { class: "detail" }, " ", readiness.detail, " ", readiness.mend))]
        : []),
      ...first.map((one) => field(one, given[one.name])),
      ...(rest.length > 0 ? [h("details", { class: "more" }, h("summary", {}, t("engines.more")), ...rest.map((one) => field(one, given[one.name])))] : []),
    );
  }

  /** @param {Option} option @param {unknown} value */
  function field(option, value) {
    const label = `engines.option.${option.name}`;
    const name = known(label) ? t(label) : option.name;
    const id = `${stage.stage}-${option.name}`;
    const from = option.set_by && value === undefined ? t("engines.set_by", { variable: option.set_by }) : "";
    if (option.type === "boolean") {
      const tick = h("input", { type: "checkbox", id, checked: value ?? option.default });
      inputs.set(option, tick);
      return h("div", { class: "option" }, h("label", {}, tick, name));
    }
    const input = h("input", {
      type: "text", id, value: value ?? "", inputmode: option.type === "text" ? null : "decimal", autocomplete: "off",
      spellcheck: "false", placeholder: usual(option), "data-testid": option.name, "aria-describedby": from && `${id}-help`,
    });
    inputs.set(option, input);
    return h("div", {}, h("label", { class: "field" }, name, input), from && h("small", { id: `${id}-help` }, from));
  }

  const fallbacks = Array.from({ length: MOST }, (_, place) => successor(stage, place));
  const element = h(
    "form",
    { class: "choices", novalidate: true },
    h("label", { class: "field" }, t("engines.provider"), provider),
    fields,
    h(
      "details",
      { class: "more", open: stage.fallback.length > 0 },
      h("summary", {}, t("engines.fallback")),
      h("p", { class: "muted" }, t("engines.fallback.help")),
      ...fallbacks.map((one) => one.element),
    ),
    h(
      "p",
      { class: "actions" },
      h("button", { class: "primary", "data-testid": "save", disabled: stage.locked !== "" }, t("engines.save")),
      h("button", { type: "button", "data-testid": "check", onclick: () => void ask() }, t("engines.check")),
    ),
  );
  provider.addEventListener("change", redraw);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    // What has no field here stays as the file has it.
    const filled = new Set([...inputs.keys()].map((option) => option.name));
    const kept = provider.value === chosen.provider ? Object.entries(open(chosen)).filter(([name]) => !filled.has(name)) : [];
    const options = Object.fromEntries([...kept, ...[...inputs].flatMap(([option, input]) => entry(option, input, stage))]);
    const further = stage.fallback.slice(MOST).map((one) => ({ provider: one.provider, options: open(one) }));
    const fallback = [...fallbacks.map((one) => one.value()).filter((one) => one !== null), ...further];
    void save({ provider: provider.value, options, fallback });
  });
  redraw();
  return element;
}

/** Who takes over at that place: one that was named before keeps its options.
 * @param {EngineStage} stage @param {number} place */
function successor(stage, place) {
  const before = stage.fallback[place];
  const list = h(
    "select",
    { "data-testid": `fallback-${place}` },
    h("option", { value: "", selected: !before }, t("engines.nobody")),
    ...stage.offers.map((one) =>
      h("option", { value: one.provider, selected: one.provider === before?.provider, disabled: !one.installed }, offered(stage, one))),
  );
  return {
    element: h("label", { class: "field" }, t(`engines.fallback.${/** @type {1 | 2 | 3} */ (place + 1)}`), list),
    /** @returns {{provider: string, options: Record<string, unknown>} | null} */
    value: () => (list.value ? { provider: list.value, options: list.value === before?.provider ? open(before) : {} } : null),
  };
}

/** An engine's options, without secrets, which stay where they are. @param {Engine} engine */
const open = (engine) => Object.fromEntries(Object.entries(engine.options).filter(([, value]) => value !== "•••"));

/** @param {EngineStage} stage @param {import("../api.js").EngineOffer} offer */
function offered(stage, offer) {
  const name = nameOf(stage.stage, offer.provider);
  const plain = name.toLowerCase() === offer.provider ? name : `${name} (${offer.provider})`;
  if (!offer.installed) return `${plain} – ${t("engines.absent")}`;
  return offer.readiness[language()].ready ? plain : `${plain} – ${t("stages.not_ready")}`;
}

/** What an empty field stands for. @param {Option} option */
const usual = (option) => (option.default === null || option.default === "" || option.default === undefined ? t("engines.usual") : String(option.default));

/** An option as it is sent; none for an empty field, and for a box as it usually is.
 * @param {Option} option @param {HTMLInputElement} input @param {EngineStage} stage @returns {[string, unknown][]} */
function entry(option, input, stage) {
  if (option.type === "boolean") {
    const given = option.name in stage.chosen.options || input.checked !== Boolean(option.default);
    return given ? [[option.name, input.checked]] : [];
  }
  const text = input.value.trim();
  if (text === "") return [];
  const value = Number(text.replace(",", "."));
  return [[option.name, option.type === "text" || Number.isNaN(value) ? text : value]];
}

/** @param {unknown} error */
function refused(error) {
  if (!(error instanceof api.Problem)) throw error;
  const { code, title, detail, mend } = error;
  const words = code
    ? { title: t("engines.refused"), text: [h("p", { class: "detail" }, detail, " ", mend)] }
    : problemWords({ code, title, message: detail, mend });
  return h("div", { class: "note bad", role: "alert", "data-testid": "refused" }, icon("warning"), h("div", {}, h("p", {}, h("strong", {}, words.title)), ...words.text));
}
