// What a learner has said of themselves, if they want that to be remembered: to be seen, corrected and
// erased.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { known, t } from "../i18n.js";
import { problemWords } from "../words.js";
import { announce } from "./erase.js";
import { back } from "./parts.js";
import { tick } from "./prepare.js";

/** @typedef {import("../api.js").Memory} Memory */
/** @typedef {import("../api.js").Fact} Fact */

/** @returns {Promise<import("../main.js").Shown>} */
export async function memory() {
  const found = await api.memory();
  const told = h("div", { role: "status" });
  const list = h("ul", { class: "facts", "data-testid": "facts" });
  const none = h("p", { class: "muted", "data-testid": "no-facts" }, t("memory.none"));
  const all = h("button", { type: "button", class: "danger", "data-testid": "forget", onclick: forget }, t("memory.forget"));
  const title = h("h1", {}, t("memory.title"));

  /** Does something, and says what came of it. @param {() => Promise<unknown>} act @param {string} done */
  async function attempt(act, done) {
    told.replaceChildren();
    try {
      await act();
      announce(done);
      return true;
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      const { title: what, text } = problemWords({ code: error.code, title: error.title, message: error.detail, mend: error.mend });
      told.replaceChildren(h("div", { class: "note bad", role: "alert" }, icon("warning"), h("div", {}, h("p", {}, h("strong", {}, what)), ...text)));
      return false;
    }
  }

  function look() {
    none.hidden = list.children.length > 0;
    all.hidden = list.children.length === 0;
  }

  async function forget() {
    if (await attempt(api.forgetAll, t("memory.forgotten"))) {
      list.replaceChildren();
      /** @type {HTMLInputElement | null} */
      const box = document.querySelector("[data-testid=memory-on]");
      if (box) box.checked = false;
      look();
      title.tabIndex = -1;
      title.focus();
    }
  }

  /** @param {Fact} fact */
  function line(fact) {
    const id = `fact-${fact.id}`;
    const text = h("input", { id, value: fact.text, maxlength: 120, autocomplete: "off" });
    const element = h(
      "li",
      {},
      h(
        "form",
        { class: "fact", onsubmit: save },
        h("label", { for: id }, kind(fact.kind)),
        text,
        h("button", { "aria-describedby": id }, t("memory.save")),
        h("button", { type: "button", "aria-describedby": id, onclick: erase }, t("memory.erase")),
      ),
    );
    /** @param {Event} event */
    async function save(event) {
      event.preventDefault();
      if (text.value.trim()) await attempt(async () => { text.value = (await api.correct(fact.id, text.value)).text; }, t("memory.saved"));
    }
    async function erase() {
      if (!(await attempt(() => api.eraseFact(fact.id), t("memory.erased")))) return;
      const next = element.nextElementSibling ?? element.previousElementSibling;
      element.remove();
      look();
      const place = next?.querySelector("input") ?? title;
      if (place === title) title.tabIndex = -1;
      place.focus();
    }
    return element;
  }

  const on = tick("memory-on", t("memory.on"), t("memory.on.help"), found.on, async (wanted) => {
    const box = /** @type {HTMLInputElement} */ (on.querySelector("input"));
    if (!(await attempt(() => api.rememberMe(wanted), t(wanted ? "memory.is_on" : "memory.is_off")))) box.checked = !wanted;
  });
  list.append(...found.facts.map(line));
  look();
  return {
    title: t("memory.title"),
    node: h(
      "article",
      { class: "narrow" },
      back("#/about", t("nav.about")),
      title,
      h("p", { class: "lead" }, t("memory.lead")),
      found.available ? on : h("p", { class: "note", "data-testid": "no-memory" }, t("memory.absent")),
      told,
      none,
      list,
      h("p", { class: "actions" }, all),
      h("p", { class: "muted" }, t("memory.where")),
    ),
  };
}

/** @param {string} name */
function kind(name) {
  const key = `memory.kind.${name}`;
  return known(key) ? t(key) : name;
}
