// What stands around every view: where one can go, and how the page looks.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { language, t } from "./i18n.js";
import { remember, settings } from "./settings.js";

const THEMES = /** @type {const} */ (["auto", "light", "dark"]);

/**
 * @param {string} hash where the page is
 * @param {() => Promise<void>} reload shows the view again, in another language
 * @param {import("./api.js").Account | null} account who is signed in @param {() => Promise<void>} leave
 */
export function top(hash, reload, account, leave) {
  /** @param {string} to @param {string} name @param {string} picture */
  const link = (to, name, picture) =>
    h(
      "a",
      { href: to, class: "nav-link", "aria-current": (hash || "#/") === to && "page" },
      icon(picture), h("span", {}, name),
    );
  return h(
    "div",
    { class: "top-inner" },
    h("a", { href: "#/", class: "brand", "aria-label": t("app.name") }, mark(), h("span", {}, t("app.name"))),
    h(
      "nav",
      { "aria-label": t("app.nav") },
      link("#/", t("nav.exercises"), "chat"),
      link("#/history", t("nav.history"), "history"),
      link("#/progress", t("nav.progress"), "chart"),
    ),
    choice("language", t("app.language"), [["fr", "FR"], ["en", "EN"]], language(), (code) => {
        remember({ language: code === "en" ? "en" : "fr" });
        void reload();
      }),
    account && h(
      "div",
      { class: "account", "data-testid": "account" },
      h("span", { class: "account-name" }, h("span", { class: "unseen" }, t("sign_in.as")), " ", account.name),
      h("button", { class: "quiet", "data-testid": "sign-out", onclick: () => void leave() }, t("sign_in.out")),
    ),
  );
}

/** @param {string} name @param {string} label @param {string[][]} options @param {string} value
 * @param {(value: string) => void} chosen */
function choice(name, label, options, value, chosen) {
  const list = h(
    "select",
    { name, "data-testid": name, "aria-label": label, title: label },
    ...options.map(([code, text]) => h("option", { value: code, selected: code === value }, text)),
  );
  list.addEventListener("change", () => chosen(list.value));
  return list;
}

const mark = () => h("img", { src: "icon.svg", alt: "", width: 32, height: 32 });

/** @param {() => void} dress draws the frame again */
export const foot = (dress) =>
  h(
    "div",
    { class: "foot-inner" },
    h("p", {}, t("app.ai"), " ", h("a", { href: "#/about" }, t("nav.about"))),
    choice("theme", t("app.theme"), THEMES.map((name) => [name, t(`theme.${name}`)]), settings.theme, (theme) => {
      remember({ theme: /** @type {"auto" | "light" | "dark"} */ (theme) });
      dress();
      /** @type {HTMLElement | null} */ (document.querySelector("select[name=theme]"))?.focus();
    }),
  );
