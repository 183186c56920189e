// The sessions kept on this machine.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { clock, date, known, language, number, t } from "../i18n.js";
import { endWords } from "../report/report.js";
import { announce, erase } from "./erase.js";
import { isLive, notice } from "./live.js";
import { problem } from "./problem.js";

/** Ends that need no telling. */
const EXPECTED = ["learner", "script", "duration"];

/** @returns {Promise<import("../main.js").Shown>} */
export async function history() {
  const all = await api.sessions();
  const found = all.filter((one) => !isLive(one));
  const list = h("ul", { class: "cards history" });
  const empty = h(
    "div",
    { class: "empty" },
    h("p", {}, t("history.empty")),
    h("p", {}, h("a", { class: "button primary", href: "#/" }, t("history.start"))),
  );
  /** Sessions to compare. @type {api.StoredSession[]} */
  let chosen = [];
  const choosing = h("div", { class: "choosing", "data-testid": "choosing" });
  const node = h(
    "section",
    { class: "history-view", "data-testid": "history" },
    h("h1", {}, t("history.title")),
    h("p", { class: "lead" }, t("history.lead")),
    ...all.filter(isLive).map(notice),
    found.length > 1 && choosing,
    found.length > 0 ? list : empty,
  );

  /** Whether one chooses two takes to compare. @param {boolean} on */
  function choose(on) {
    chosen = [];
    list.classList.toggle("choose", on);
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (list.querySelectorAll(".pick input"))) {
      box.checked = false;
      box.disabled = false;
    }
    if (!on) {
      choosing.replaceChildren(h("button", { "data-testid": "compare-start", onclick: () => choose(true) }, icon("chart"), t("history.compare")));
      return;
    }
    choosing.replaceChildren(
      h("p", {}, t("history.compare.help")),
      h(
        "p",
        { class: "actions" },
        h("button", { class: "primary", "data-testid": "compare-go", "aria-disabled": "true", onclick: go }, t("history.compare.go")),
        h("button", { class: "quiet", onclick: stop }, t("history.compare.stop")),
        h("span", { role: "status" }, t("history.compare.chosen", { n: 0 })),
      ),
    );
  }

  function stop() {
    choose(false);
    choosing.querySelector("button")?.focus();
  }

  function go() {
    const [first, second] = [...chosen].sort((a, b) => a.started_at - b.started_at);
    if (second) location.hash = `#/compare/${first.id}/${second.id}`;
  }

  /** @param {api.StoredSession} session @param {boolean} on */
  function pick(session, on) {
    chosen = on ? [...chosen, session] : chosen.filter((one) => one !== session);
    const full = chosen.length === 2;
    choosing.querySelector("[data-testid=compare-go]")?.setAttribute("aria-disabled", String(!full));
    const told = choosing.querySelector("[role=status]");
    if (told) told.textContent = t("history.compare.chosen", { n: number(chosen.length) });
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (list.querySelectorAll(".pick input"))) box.disabled = full && !box.checked;
  }

  /** @param {api.StoredSession} session @param {HTMLElement[]} under its drills and retries */
  function row(session, under) {
    const places = { title: session.title, date: date(session.started_at) };
    const state = `status.${session.status}`;
    const status = known(state) ? t(state) : session.status;
    const reason = endWords(session.reason, language());
    const purpose = session.purpose === "exercise" ? "" : t(`history.purpose.${session.purpose}`);
    const [name, about] = purpose ? [purpose, session.title] : [session.title, session.character];
    const box = h("input", { type: "checkbox", "aria-label": t("history.compare.pick", places), "data-testid": `pick-${session.id}` });
    box.addEventListener("change", () => pick(session, box.checked));
    const card = h(
      "div",
      { class: "card", "data-testid": `session-${session.id}` },
      h("span", { class: "pick" }, box),
      h(
        "div",
        { class: "card-body" },
        h("h2", {}, h("a", { href: `#/report/${session.id}`, "aria-label": [name, t("history.open", places)].join(", ") }, name)),
        h("p", { class: "muted" }, [about, places.date].join(" · ")),
        h(
          "ul",
          { class: "facts" },
          session.duration !== null && h("li", {}, icon("clock"), clock(session.duration)),
          !EXPECTED.includes(session.reason) && h("li", { "data-testid": "end" }, reason ? t("history.end", { status, reason }) : status),
          session.exam && h("li", {}, t("history.exam")),
          session.audio.length > 0 && h("li", {}, icon("speaker"), t("history.sound")),
        ),
      ),
      h(
        "button",
        { class: "icon-button", "aria-label": t("history.delete", places), title: t("delete.yes"), onclick: () => void drop() },
        icon("trash"),
      ),
    );
    const item = h("li", { "data-purpose": session.purpose }, card, under.length > 0 && h("ul", { class: "under" }, ...under));
    async function drop() {
      try {
        if (!(await erase(session))) return;
      } catch (error) {
        node.replaceWith(problem(error).node);
        return;
      }
      // What belongs to it stays, on its own.
      item.replaceWith(...(item.querySelector(".under")?.children ?? []));
      announce(t("delete.done"));
      if (list.childElementCount === 0) list.replaceWith(empty);
      node.querySelector("h1")?.focus();
    }
    return item;
  }

  const ids = new Set(found.map(({ id }) => id));
  const whole = found.filter(({ of }) => !of || !ids.has(of));
  list.append(...whole.map((one) => row(one, found.filter(({ of }) => of === one.id).map((each) => row(each, [])))));
  choose(false);
  return { title: t("history.title"), node };
}
