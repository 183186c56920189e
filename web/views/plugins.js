// Which plugins take part, for operators: a part of the page of services.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { known, number, t } from "../i18n.js";
import { problemWords } from "../words.js";
import { announce } from "./erase.js";
import { tick } from "./prepare.js";

/** @typedef {import("../api.js").Plugins} Plugins */
/** @typedef {import("../api.js").Plugin} Plugin */

/** @param {Plugins} found */
export function plugins(found) {
  const told = h("div", { role: "status" });
  const list = h("div", { "data-testid": "plugins" });

  /** @param {Plugins} now */
  function draw(now) {
    list.replaceChildren(...now.plugins.map((one) => line(one, now.locked !== "")));
  }

  /** @param {Plugin} plugin @param {boolean} locked */
  function line(plugin, locked) {
    const id = `plugin-${plugin.name}`;
    const element = tick(id, plugin.name, words(plugin), plugin.enabled, async (on) => {
      told.replaceChildren();
      box.disabled = true;
      try {
        draw(await api.letTakePart(plugin.name, on));
        announce(t("plugins.saved"));
        /** @type {HTMLElement | null} */ (list.querySelector(`[data-testid="${id}"]`))?.focus();
      } catch (error) {
        if (!(error instanceof api.Problem)) throw error;
        const { title, text } = problemWords({ code: error.code, title: error.title, message: error.detail, mend: error.mend });
        told.replaceChildren(h("div", { class: "note bad", role: "alert" }, icon("warning"), h("div", {}, h("p", {}, h("strong", {}, title)), ...text)));
        box.checked = !on;
        box.disabled = false;
      }
    });
    const box = /** @type {HTMLInputElement} */ (element.querySelector("input"));
    box.disabled = locked;
    if (plugin.off) element.append(h("p", {}, h("span", { class: "tag bad" }, t("plugins.off"))));
    return element;
  }

  draw(found);
  return h(
    "section",
    { class: "engine", "aria-labelledby": "plugins-title" },
    h("h2", { id: "plugins-title" }, t("plugins.title")),
    h("p", {}, t("plugins.lead")),
    found.locked && h("p", { class: "note" }, icon("warning"), t("engines.locked", { variable: found.locked })),
    list,
    told,
  );
}

/** What it does and how it did. @param {Plugin} plugin */
function words(plugin) {
  const key = `plugins.about.${plugin.name}`;
  const about = known(key) ? t(key) : (plugin.package ?? t("engines.absent"));
  if (!plugin.calls) return about;
  return `${about} ${t("plugins.figures", { calls: number(plugin.calls), failures: number(plugin.failures), ms: number((1000 * plugin.seconds) / plugin.calls, { maximumFractionDigits: 1 }) })}`;
}
