// Draws a report. The command line joins this module and those it imports into one script for the
// single-file report, so names at their top differ between modules. See standalone.html.

import { h } from "../dom.js";
import { attempt } from "./attempt.js";
import { comparison } from "./comparison.js";
import { figures } from "./figures.js";
import { next } from "./next.js";
import { opening } from "./opening.js";
import { pictures } from "./pictures.js";
import { Playhead } from "./playhead.js";
import { scores } from "./scores.js";
import { Tongue } from "./tongue.js";
import { transcript } from "./transcript.js";

/** @typedef {import("./schema.d.ts").Report} Report */

/** A way to a drill or a retry: `start` runs before `href` is followed.
 * @typedef {{href: string, start: () => void}} Way */

/**
 * What only a server can do for the reader; absent in the file that works offline.
 * @typedef {object} Actions
 * @property {(mark: string, dismissed: boolean) => Promise<void>} dismiss draws the report again
 * @property {(notes: {plan: string}) => Promise<void>} note
 * @property {() => Promise<void>} [judge] has the content judged, where a model is there
 * @property {(drill: string) => Way} drill
 * @property {(turn: number) => Way} retry
 * @property {() => string} exercise address of the exercise, to talk once more
 * @property {(() => Way)} [again] the same drill or retry once more
 * @property {(session: string) => string} compare address of this take beside another
 * @property {(session: string) => string} report address of another report
 */

/**
 * What every section needs: the reader's words, the sound, and what can be done.
 * @typedef {object} Page
 * @property {Tongue} tongue
 * @property {string} spoken the language of what was said, and of what the report says of it
 * @property {Playhead} head
 * @property {Actions | undefined} actions
 * @property {{report: Report, turn: number, head: Playhead} | undefined} before the answer that was
 *   tried again
 * @property {(() => void)[]} leaving what to do when the report is taken away
 */

/** Why a session ended, in words; nothing for a reason of which there are none.
 * @param {string} reason @param {string} language */
export const endWords = (reason, language) => new Tongue(language).end(reason);

/** The element of a key within another. @param {Element} where @param {string} key */
const keyed = (where, key) => /** @type {HTMLElement | null} */ (where.querySelector(`[data-key="${CSS.escape(key)}"]`));

/** Puts a section in the place of its older self: what was open or written stays, and the focus.
 * @param {HTMLElement} old @param {HTMLElement} fresh */
function exchange(old, fresh) {
  for (const one of /** @type {NodeListOf<HTMLDetailsElement>} */ (old.querySelectorAll("details[data-key]"))) {
    const same = keyed(fresh, one.dataset.key ?? "");
    if (same) /** @type {HTMLDetailsElement} */ (same).open = one.open;
  }
  for (const one of /** @type {NodeListOf<HTMLTextAreaElement>} */ (old.querySelectorAll("textarea[data-key]"))) {
    const same = /** @type {HTMLTextAreaElement | null} */ (keyed(fresh, one.dataset.key ?? ""));
    if (!same || one.value === one.defaultValue) continue;
    same.value = one.value;
    same.setSelectionRange(one.selectionStart, one.selectionEnd);
  }
  const focused = old.contains(document.activeElement) ? document.activeElement?.closest("[data-key]") : null;
  old.replaceWith(fresh);
  if (!focused) return;
  const same = keyed(fresh, /** @type {HTMLElement} */ (focused).dataset.key ?? "");
  (same?.querySelector("summary") ?? same)?.focus({ preventScroll: true });
}

/** Draws again without moving what the reader looks at. @param {HTMLElement} article @param {() => void} draw */
function still(article, draw) {
  const active = document.activeElement;
  const marked = article.querySelector("[data-mark][aria-expanded=true]"); // its panel does not move with the text
  const anchor = marked ?? (active && article.contains(active) ? active : undefined)
    ?? [...article.querySelectorAll("section, li")].find((one) => one.getBoundingClientRect().bottom > 0) ?? article;
  const before = anchor.getBoundingClientRect().top;
  draw();
  if (anchor.isConnected) window.scrollBy(0, anchor.getBoundingClientRect().top - before);
}

/** What moved between two reports, in words. @param {Report} before @param {Report} after @param {Tongue} tongue */
function moves(before, after, tongue) {
  const moved = after.dimensions.flatMap((one) => {
    const old = before.dimensions.find(({ dimension }) => dimension === one.dimension);
    if (old?.score == null || one.score === null || tongue.score(old.score) === tongue.score(one.score)) return [];
    return [tongue.t("score.moved", { dimension: one.label, before: tongue.score(old.score), after: tongue.score(one.score) })];
  });
  return moved.length > 0 ? moved.join(" ") : tongue.t("score.still");
}

/**
 * The report as an element.
 * @param {Report} first
 * @param {object} [options]
 * @param {string} [options.language] the reader's, the report's own when absent
 * @param {string} [options.audioUrl] the recording that goes with it
 * @param {Actions} [options.actions]
 * @param {{report: Report, turn: number, audioUrl?: string}} [options.before] the answer that this
 *   one is another try of
 * @returns {{node: HTMLElement, show: (report: Report) => void, leave: () => void}} `show` draws a
 *   later state of the same report in its place; `leave` stops what plays
 */
export function renderReport(first, { language, audioUrl, actions, before } = {}) {
  let report = first;
  const tongue = new Tongue(language ?? first.language);
  const head = new Playhead(audioUrl, first.duration, tongue);
  /** @type {Page} */
  const page = {
    tongue, spoken: first.language, head, actions, leaving: [],
    before: before && { ...before, head: new Playhead(before.audioUrl, before.report.duration, tongue, tongue.t("compare.before")) },
  };
  const status = h("p", { class: "unseen", role: "status", "data-testid": "report-status" });
  const article = h("article", { class: head.audio ? "report playing" : "report", lang: tongue.code });
  /** @type {((report: Report) => void)[]} */
  const redraws = [];

  /** A section that is drawn anew with each state of the report.
   * @param {(report: Report, page: Page) => HTMLElement | null} draw */
  function section(draw) {
    let node = draw(report, page) ?? h("section", { hidden: true });
    redraws.push((now) => {
      const fresh = draw(now, page) ?? h("section", { hidden: true });
      exchange(node, fresh);
      node = fresh;
    });
    return node;
  }

  if (first.purpose === "exercise") {
    const text = transcript(first, page);
    redraws.push(text.show);
    article.append(
      section(opening),
      ...(head.bar ? [head.bar] : []),
      ...(first.turns.length > 0 ? [text.node] : []),
      ...[pictures, scores, comparison, next, figures].map(section),
    );
  } else {
    article.append(...attempt(first, page));
    if (page.before?.head.audio) article.append(page.before.head.audio);
  }
  article.append(status);

  return {
    node: article,
    show: (now) => {
      const old = report;
      report = now;
      still(article, () => redraws.forEach((redraw) => redraw(now)));
      const arrived = old.content.state === "pending" && now.content.state === "judged";
      const set = now.marks.find((mark) => mark.dismissed !== old.marks.find(({ id }) => id === mark.id)?.dismissed);
      status.textContent = [
        arrived && tongue.t("judged.arrived"),
        set && tongue.t(set.dismissed ? "mark.saved.out" : "mark.saved.back"),
        set && moves(old, now, tongue),
      ].filter(Boolean).join(" ");
    },
    leave: () => {
      head.stop();
      page.before?.head.stop();
      page.leaving.forEach((leave) => leave());
    },
  };
}
