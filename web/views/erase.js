// Asks before a session is erased for good.

import * as api from "../api.js";
import { h } from "../dom.js";
import { t } from "../i18n.js";

/**
 * Asks, and erases when told to. The answer is whether it was erased.
 * @param {{id: string, title: string}} session @returns {Promise<boolean>}
 */
export function erase({ id, title }) {
  return new Promise((resolve, reject) => {
    const dialog = h(
      "dialog",
      { "aria-labelledby": "erase-title" },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "erase-title" }, t("delete.title")),
        h("p", {}, t("delete.text", { title })),
        h(
          "p",
          { class: "actions" },
          h("button", { value: "no", class: "primary", autofocus: true, "data-testid": "erase-no" }, t("delete.no")),
          h("button", { value: "yes", class: "danger", "data-testid": "erase-yes" }, t("delete.yes")),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue !== "yes") resolve(false);
      else api.remove(id).then(() => resolve(true), reject);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Says something to those who listen to the page. @param {string} text */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}
