// Signing in, where the server wants to know who practises.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { known, t } from "../i18n.js";
import { problemWords } from "../words.js";
import { later } from "./parts.js";

/**
 * @param {{oidc: boolean, key: boolean}} ways @param {() => void} done the reader is signed in
 * @param {string} fault why signing in elsewhere came to nothing; "" when nobody tried
 * @returns {import("../main.js").Shown}
 */
export function signIn(ways, done, fault) {
  const key = h("input", {
    type: "password", id: "key", autocomplete: "current-password", required: true, spellcheck: "false",
    "aria-describedby": "key-help key-error", "data-testid": "key",
  });
  const why = `sign_in.fault.${fault}`;
  const told = h("div", { id: "key-error", role: "alert" });
  const actions = h("p", { class: "actions" }, h("button", { class: ways.oidc ? "" : "primary", "data-testid": "sign-in" }, icon("lock"), t("sign_in.go")));
  const form = h(
    "form",
    { class: "sign-in-key", novalidate: true },
    h("label", { class: "field" }, t("sign_in.key"), key),
    h("small", { id: "key-help" }, t("sign_in.key.help")),
    told,
    actions,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send();
  });

  /** @param {...Node} words */
  function refuse(...words) {
    told.replaceChildren(h("div", { class: "note bad" }, icon("warning"), h("div", {}, ...words)));
    key.setAttribute("aria-invalid", "true");
    key.focus();
  }

  async function send() {
    const given = key.value.trim();
    if (given === "") {
      refuse(h("p", {}, t("sign_in.key.empty")));
      return;
    }
    try {
      await api.signIn(given);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      if (error.status === 401) {
        key.select();
        refuse(h("p", {}, t("sign_in.key.wrong")));
        return;
      }
      const { title, text } = problemWords({ code: error.code, title: error.title, message: error.detail, mend: error.mend });
      refuse(h("p", {}, h("strong", {}, title)), ...text);
      if (error.wait) {
        const before = [...actions.childNodes];
        actions.replaceChildren(later(error.wait, t("sign_in.go"), () => {
          actions.replaceChildren(...before);
          form.requestSubmit();
        }));
      }
      return;
    }
    done();
  }

  return {
    title: t("sign_in.title"),
    node: h(
      "section",
      { class: "narrow sign-in", "data-testid": "signing-in" },
      h("h1", {}, t("sign_in.title")),
      h("p", { class: "lead" }, t("sign_in.lead")),
      fault && h("div", { class: "note bad", role: "alert", "data-testid": "sign-in-fault" }, icon("warning"), t(known(why) ? why : "sign_in.fault.failed")),
      ways.oidc &&
        h(
          "p",
          { class: "actions" },
          h("a", { class: "button primary", href: api.signInElsewhere(`/${location.hash}`), "data-testid": "sign-in-oidc" }, icon("lock"), t("sign_in.oidc")),
        ),
      ways.oidc && ways.key && h("h2", {}, t("sign_in.or")),
      ways.key && form,
    ),
  };
}
