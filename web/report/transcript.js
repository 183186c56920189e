// What was said, word by word, in step with the sound, with its marks.

import { h } from "../dom.js";
import { families, familyOf, markPanel, sign } from "./marks.js";

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./schema.d.ts").ReportTurn} Turn */
/** @typedef {import("./schema.d.ts").Mark} Mark */
/** @typedef {import("./schema.d.ts").Pause} Pause */
/** @typedef {import("./report.js").Page} Page */
/** @typedef {{start: number, end: number, node: HTMLElement}} Timed */
/** @typedef {import("./tongue.js").Message} Message */

/** Pauses without a mark are shown when they last so long, in seconds. */
const LONG = { mid_phrase: 0.4, boundary: 0.8, unknown: 0.6 };

/** @param {Timed} timed */
const middle = ({ start, end }) => (start + end) / 2;

/** @param {Mark} mark */
const silent = (mark) => mark.kind.endsWith("_pause") && mark.kind !== "filled_pause";

/**
 * @param {Report} first @param {Page} page
 * @returns {{node: HTMLElement, show: (report: Report) => void}}
 */
export function transcript(first, page) {
  const { tongue, head } = page;
  let report = first;
  const panel = markPanel(page, () => report);
  /** @type {Timed[]} */
  const timed = [];
  /** @type {Map<string, {words: HTMLElement[], button: HTMLElement}>} */
  const shown = new Map();
  /** @type {HTMLElement | undefined} */
  let now;
  // Who speaks over the other is written down last, though it began first.
  const turns = [...first.turns].sort((a, b) => a.start - b.start);
  const opening = turns.findIndex((turn) => turn.phase !== "warm_up");
  const warmed = opening > 0;
  const list = h(
    "ol",
    { class: "turns" },
    ...turns.flatMap((turn, index) => [
      warmed && (index === 0 || index === opening) &&
        h("li", { class: "phase quiet-note" }, tongue.t(index === 0 ? "transcript.warm_up" : "transcript.exercise")),
      turnItem(turn, { report, page, timed, shown, panel }),
    ]),
  );

  /** The last thing that began before a moment. @param {number} time */
  function at(time) {
    let low = 0;
    let high = timed.length;
    while (low < high) {
      const half = (low + high) >> 1;
      if (timed[half].start <= time) low = half + 1;
      else high = half;
    }
    return timed[low - 1];
  }

  head.follow(list, (time) => {
    const word = at(time);
    const node = word && time < word.end + 0.15 ? word.node : undefined;
    if (node === now) return;
    now?.classList.remove("now");
    node?.classList.add("now");
    now = node;
  });
  head.show = (time) => {
    const place = at(time + 0.35)?.node ?? timed[0]?.node;
    if (!place || head.audio) return;
    place.classList.add("found");
    setTimeout(() => place.classList.remove("found"), 2500);
    place.scrollIntoView({ block: "center" });
  };

  /** Strikes what was set aside. @param {Report} next */
  function show(next) {
    report = next;
    for (const mark of next.marks) {
      const parts = shown.get(mark.id);
      if (!parts) continue;
      parts.button.classList.toggle("dismissed", mark.dismissed);
      parts.button.setAttribute("aria-label", markWords(mark, page));
      for (const word of parts.words) word.classList.toggle("dismissed", mark.dismissed);
    }
  }

  const worded = first.turns.some((turn) => turn.words?.length);
  const note = head.audio ? worded && tongue.t("transcript.help") : tongue.t("transcript.silent");
  const node = h(
    "section",
    { class: "transcript", "data-testid": "transcript" },
    h("h2", {}, tongue.t("transcript")),
    !first.quality.words_heard && first.turns.some((turn) => turn.speaker === "learner") && h("p", { class: "quiet-note" }, tongue.t("transcript.ear")),
    note && h("p", { class: "quiet-note" }, note),
    first.marks.length > 0 && legend(first.marks, list, page),
    list,
  );
  show(first);
  return { node, show };
}

/** Which marks there are; each family can be hidden.
 * @param {readonly Mark[]} marks @param {HTMLElement} list @param {Page} page */
const legend = (marks, list, { tongue }) =>
  h(
    "fieldset",
    { class: "mark-legend" },
    h("legend", { class: "unseen" }, tongue.t("transcript.marks")),
    ...families(marks).map(([family, count]) => {
      const box = h("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => list.classList.toggle(`without-${family}`, !box.checked));
      return h("label", { class: `family ${family}` }, box, sign(family), `${tongue.t(/** @type {Message} */ (`family.${family}`))} (${count})`);
    }),
  );

/** How long a silence lasts. @param {Mark} mark @param {Page} page */
const lasts = ({ start, end }, { tongue }) => `${tongue.number(end - start)}\u00a0s`;

/** A mark for those who hear the page. @param {Mark} mark @param {Page} page */
const markWords = (mark, page) => {
  const { tongue } = page;
  return [
    silent(mark) && lasts(mark, page),
    tongue.t("mark.help", { label: mark.label, at: tongue.t("at", { time: tongue.clock(mark.start) }) }),
    mark.dismissed && tongue.t("mark.dismissed"),
  ].filter(Boolean).join(", ");
};

/** @param {Turn} turn
 * @param {{report: Report, page: Page, timed: Timed[], shown: Map<string, {words: HTMLElement[], button: HTMLElement}>, panel: ReturnType<typeof markPanel>}} desk */
function turnItem(turn, { report, page, timed, shown, panel }) {
  const { tongue, head } = page;
  const own = turn.speaker === "learner";
  const name = own && !turn.name ? tongue.t("you") : turn.name;
  const text = h("div", { class: "said", lang: page.spoken });
  const words = turn.words ?? [];
  const marks = own ? report.marks.filter((mark) => (mark.turn === null ? mark.end > turn.start && mark.start < turn.end : mark.turn === turn.index)) : [];
  let reached = -1;
  const time = h(
    head.audio ? "button" : "span",
    {
      class: "turn-time", "data-testid": "turn-time", type: head.audio && "button",
      "aria-label": head.audio && tongue.labelled(tongue.t("listen"), tongue.t("turn", { name, time: tongue.clock(turn.start) })),
      onclick: () => head.go(turn.start),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step || words.length === 0) return;
        event.preventDefault();
        reached = Math.max(0, Math.min(words.length - 1, reached + step));
        head.go(words[reached].start);
      },
    },
    tongue.clock(turn.start),
  );

  /** @param {Mark} mark @param {HTMLElement[]} covered */
  function button(mark, covered) {
    const family = familyOf(mark);
    const node = h(
      "button",
      {
        class: `mark ${family}`, type: "button", "data-mark": mark.id, "data-key": mark.id, "aria-expanded": "false", "aria-haspopup": "dialog",
        title: mark.label, onclick: () => panel.open(mark.id, node),
      },
      sign(family),
      silent(mark) && lasts(mark, page),
    );
    shown.set(mark.id, { words: covered, button: node });
    return node;
  }

  const byEnd = marks.filter((mark) => !silent(mark)).sort((a, b) => a.end - b.end);
  const silences = marks.filter(silent);
  const gaps = [
    ...silences.map((mark) => ({ start: mark.start, node: () => button(mark, []) })),
    ...(own ? turn.pauses : [])
      .filter((one) => one.end - one.start >= LONG[one.kind] && !silences.some((mark) => mark.start < one.end && mark.end > one.start))
      .map((pause) => ({ start: pause.start, node: () => pauseNote(pause, page) })),
  ].sort((a, b) => a.start - b.start);

  /** Puts the silences that began before a moment. @param {number} time */
  function pauses(time) {
    while (gaps.length > 0 && gaps[0].start < time) text.append(/** @type {typeof gaps[0]} */ (gaps.shift()).node(), " ");
  }

  if (words.length === 0) {
    const said = turn.text || tongue.t("turn.ear", { n: tongue.number(turn.end - turn.start) });
    const node = h("span", { class: turn.text ? "word" : "word quiet-note", onclick: () => head.go(turn.start) }, said);
    timed.push({ start: turn.start, end: turn.end, node });
    text.append(node, " ");
    pauses(Infinity);
    for (const mark of byEnd) text.append(button(mark, []), " ");
  }
  /** @type {Timed[]} */
  const told = [];
  words.forEach((word, index) => {
    pauses(word.start);
    const node = h("span", { class: "word", onclick: () => head.go(word.start) }, word.text);
    told.push({ start: word.start, end: word.end, node });
    // A mark stands after the last of its words, on the same line.
    const next = words[index + 1];
    const line = h("span", { class: "joined" }, node);
    while (byEnd.length > 0 && (!next || (next.start + next.end) / 2 > byEnd[0].end)) {
      const mark = /** @type {Mark} */ (byEnd.shift());
      const covered = [];
      for (let back = index; back >= 0 && middle(told[back]) >= mark.start; back -= 1) covered.push(told[back].node);
      for (const one of covered) one.classList.add("marked", familyOf(mark));
      line.append(button(mark, covered));
    }
    text.append(line.childElementCount > 1 ? line : node, " ");
  });
  timed.push(...told);
  pauses(Infinity);
  if (turn.interrupted) text.append(" ", h("span", { class: "cut-note" }, `— ${tongue.t("interrupted")}`));
  return h(
    "li",
    { class: `turn ${turn.speaker} ${turn.phase}`, "data-turn": turn.index },
    h("p", { class: "who" }, h("strong", {}, name), time, report.weakest_turn === turn.index && h("span", { class: "quiet-note" }, tongue.t("turn.weakest"))),
    text,
  );
}

/** @param {Pause} pause @param {Page} page */
const pauseNote = (pause, { tongue }) =>
  h(
    "span",
    { class: `pause ${pause.kind}`, title: tongue.t("pause", { n: tongue.number(pause.end - pause.start) }) },
    `${tongue.number(pause.end - pause.start)}\u00a0s`,
  );
