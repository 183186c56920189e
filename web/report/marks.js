// Marked moments: their signs, and the panel that says what one is and lets it be set aside.

import { h, s } from "../dom.js";
import { jump } from "./playhead.js";

/** @typedef {import("./schema.d.ts").Mark} Mark */
/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./report.js").Page} Page */
/** @typedef {import("./tongue.js").Message} Message */

/** What marks of a kind have in common, in the order of the legend.
 * @type {[string, RegExp][]} */
const FAMILIES = [
  ["filler", /^filled_pause/],
  ["pause", /pause/],
  ["tic", /^tic/],
  ["hedge", /hedge|minimi/],
  ["repetition", /repetition|repair/],
  ["pace", /fast|slow/],
  ["voice", /monotone|trailing|rising/],
  ["listening", /interrupt|answer|question|response/],
];

/** Drawn on a 16 by 16 grid; each differs by form, not by colour alone.
 * @type {Record<string, string>} */
const FORMS = {
  pause: "M5 3v10M11 3v10",
  filler: "M2 9c2-4 4-4 6 0s4 4 6 0",
  tic: "M4 6h8M4 10h8",
  hedge: "M2 6c2-2 4-2 6 0s4 2 6 0M2 11c2-2 4-2 6 0s4 2 6 0",
  repetition: "M12 5a5 5 0 1 0 1 5M12.5 2v3.5h-3.5",
  pace: "M3 4l4 4-4 4M9 4l4 4-4 4",
  voice: "M2 5h4l5 6h3",
  listening: "M6 13c3 1 4-1 4-3s3-2 3-5a4.5 4.5 0 0 0-9 0",
  good: "M3 8.5l3.5 3.5L13 4.5",
  other: "M8 3v6M8 12.5v.1",
};

/** @param {Mark} mark */
export function familyOf(mark) {
  if (mark.good) return "good";
  return FAMILIES.find(([, kinds]) => kinds.test(mark.kind))?.[0] ?? "other";
}

/** @param {string} family */
export const sign = (family) =>
  s("svg", { class: "glyph", viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" }, s("path", { class: "stroke", d: FORMS[family] }));

/** The families that a report has marks of, with how many, in the order of the legend.
 * @param {readonly Mark[]} marks @returns {[string, number][]} */
export function families(marks) {
  const order = ["good", ...FAMILIES.map(([name]) => name), "other"];
  const count = new Map(order.map((name) => [name, 0]));
  for (const mark of marks) count.set(familyOf(mark), (count.get(familyOf(mark)) ?? 0) + 1);
  return [...count].filter(([, n]) => n > 0);
}

/** A dimension by its name. @param {Report} report @param {string} dimension */
const dimensionLabel = (report, dimension) => report.dimensions.find((one) => one.dimension === dimension)?.label ?? dimension;

/**
 * Shows what a mark is beside the button that stands for it. One panel serves all marks.
 * @param {Page} page @param {() => Report} current the report as it now is
 */
export function markPanel(page, current) {
  const { tongue, spoken, head, actions } = page;
  const panel = h("div", { class: "mark-panel", popover: "auto", role: "dialog", "data-testid": "mark-panel" });
  /** @type {HTMLElement | undefined} */
  let opener;

  panel.addEventListener("toggle", (event) => {
    const open = /** @type {ToggleEvent} */ (event).newState === "open";
    opener?.setAttribute("aria-expanded", String(open));
  });

  /** @param {string} id */
  const markOf = (id) => current().marks.find((mark) => mark.id === id);

  /** @param {Mark} mark */
  function fill(mark) {
    const report = current();
    const lasts = /pause|stretch|run/.test(mark.kind) && mark.end - mark.start;
    const effects = Object.entries(mark.effects).filter(([, effect]) => effect >= 0.005);
    const told = h("p", { class: "quiet-note", role: "status" });
    const button = actions && h(
      "button",
      { type: "button", "data-testid": "dismiss", onclick: () => void dismiss(mark, told) },
      tongue.t(mark.dismissed ? "mark.undo" : mark.good ? "mark.dismiss.good" : "mark.dismiss"),
    );
    panel.setAttribute("aria-label", mark.label);
    panel.replaceChildren(
      h("p", { class: "mark-title" }, sign(familyOf(mark)), h("strong", {}, tongue.title(mark.label)), jump(head, tongue, mark.start, mark.end, mark.label)),
      mark.text ? h("p", { class: "mark-text", lang: spoken }, tongue.quote(mark.text)) : "",
      mark.about ? h("p", { lang: spoken }, mark.about) : "",
      lasts ? h("p", { class: "quiet-note" }, tongue.t("mark.lasts", { n: tongue.number(lasts) })) : "",
      mark.dismissed
        ? h("p", {}, tongue.t("mark.out"))
        : effects.length > 0
          ? h("ul", { class: "mark-effects" }, ...effects.map(([dimension, effect]) => h("li", {}, tongue.t("mark.effect", {
              dimension: dimensionLabel(report, dimension), n: Math.round(100 * effect),
            }))))
          : mark.good ? "" : h("p", { class: "quiet-note" }, tongue.t("mark.none")),
      told,
      h("p", { class: "mark-buttons" }, button || "", h("button", { type: "button", class: "plain", onclick: close }, tongue.t("mark.close"))),
    );
  }

  function close() {
    panel.hidePopover();
    opener?.focus({ preventScroll: true });
  }

  /** Puts the panel below its mark, inside the window's width; on a phone it lies at the bottom, and
   * the mark stays in sight above it. */
  function place() {
    if (!opener) return;
    const at = opener.getBoundingClientRect();
    if (matchMedia("(max-width: 34rem)").matches) {
      panel.style.left = panel.style.top = "";
      window.scrollBy(0, Math.max(0, at.bottom + 8 - panel.getBoundingClientRect().top));
      return;
    }
    const width = panel.offsetWidth;
    const left = Math.min(at.left, document.documentElement.clientWidth - width - 12);
    const below = at.bottom + 6 + panel.offsetHeight < window.innerHeight;
    const top = below ? at.bottom + 6 : Math.max(8, at.top - 6 - panel.offsetHeight);
    panel.style.left = `${Math.max(12, left) + window.scrollX}px`;
    panel.style.top = `${top + window.scrollY}px`;
  }

  /** @param {Mark} mark @param {HTMLElement} told */
  async function dismiss(mark, told) {
    try {
      await actions?.dismiss(mark.id, !mark.dismissed);
    } catch {
      told.textContent = tongue.t("mark.failed");
      return;
    }
    const now = markOf(mark.id);
    if (!now) return;
    fill(now);
    place();
    /** @type {HTMLElement | null} */ (panel.querySelector("[data-testid=dismiss]"))?.focus({ preventScroll: true });
  }

  /** @param {string} id @param {HTMLElement} button */
  function open(id, button) {
    const mark = markOf(id);
    if (!mark) return;
    opener = button;
    fill(mark);
    button.after(panel);
    panel.showPopover();
    place();
    /** @type {HTMLElement | null} */ (panel.querySelector("button"))?.focus({ preventScroll: true });
  }
  return { node: panel, open };
}
