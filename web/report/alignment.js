// Which answers of two takes belong together.

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./schema.d.ts").ReportTurn} Turn */
/** What was asked, and what was answered. @typedef {{question: string, answers: Turn[]}} Exchange */

/** What two exchanges are worth together when they have no word in common: order decides then. */
const ORDER = 0.1;

/** A conversation as questions with their answers; a recording is one answer without a question.
 * @param {Report} report @returns {Exchange[]} */
export function exchanges({ turns }) {
  /** @type {Exchange[]} */
  const found = [];
  for (const turn of turns) {
    const last = found.at(-1);
    if (turn.speaker === "learner") {
      if (last) last.answers.push(turn);
      else found.push({ question: "", answers: [turn] });
    } else if (last && last.answers.length === 0) last.question += ` ${turn.text}`;
    else found.push({ question: turn.text, answers: [] });
  }
  return found.filter(({ answers }) => answers.length > 0);
}

/** @param {string} text */
const wordsOf = (text) => new Set(text.toLowerCase().match(/[\p{L}\d]{3,}/gu) ?? []);

/** How many words two questions share, 0..1 (Jaccard). @param {string} a @param {string} b */
function likeness(a, b) {
  const [one, other] = [wordsOf(a), wordsOf(b)];
  const common = [...one].filter((word) => other.has(word)).length;
  return common / (one.size + other.size - common || 1);
}

/**
 * Pairs in the order of both takes, so that like questions meet; one side may be missing.
 * @param {readonly Exchange[]} first @param {readonly Exchange[]} second
 * @returns {[Exchange | undefined, Exchange | undefined][]}
 */
export function aligned(first, second) {
  const best = Array.from({ length: first.length + 1 }, () => new Array(second.length + 1).fill(0));
  /** @param {number} i @param {number} j */
  const together = (i, j) => best[i + 1][j + 1] + ORDER + likeness(first[i].question, second[j].question);
  for (let i = first.length - 1; i >= 0; i -= 1) {
    for (let j = second.length - 1; j >= 0; j -= 1) {
      best[i][j] = Math.max(together(i, j), best[i + 1][j], best[i][j + 1]);
    }
  }
  /** @type {[Exchange | undefined, Exchange | undefined][]} */
  const pairs = [];
  let [i, j] = [0, 0];
  while (i < first.length && j < second.length) {
    if (best[i][j] === together(i, j)) pairs.push([first[i++], second[j++]]);
    else if (best[i][j] === best[i + 1][j]) pairs.push([first[i++], undefined]);
    else pairs.push([undefined, second[j++]]);
  }
  for (; i < first.length; i += 1) pairs.push([first[i], undefined]);
  for (; j < second.length; j += 1) pairs.push([undefined, second[j]]);
  return pairs;
}
