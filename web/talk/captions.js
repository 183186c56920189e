// What is said, on both sides, as it is said.

import { h } from "../dom.js";
import { number, t } from "../i18n.js";

/** @typedef {import("../protocol.d.ts").Caption} Caption */

/** What the server sends for speech without words: one mark for each part of the turn. */
const WORDLESS = /^…( …)*$/;

/** The id under which a stored turn is shown again. */
const AGAIN = /^t(\d+)$/;

export class Captions {
  /** @param {string} name of the character @param {string} size */
  constructor(name, size) {
    this.name = name;
    /** @type {Map<string, {line: HTMLElement, text: HTMLElement, mark: HTMLElement}>} */
    this.lines = new Map();
    /** Lines that are safe, by the index of their turn. @type {Map<number, HTMLElement>} */
    this.safe = new Map();
    this.empty = h("p", { class: "captions-empty" }, t("talk.captions.empty"));
    this.element = h(
      "div",
      {
        class: "captions", role: "log", "aria-label": t("talk.captions"), "aria-relevant": "additions",
        tabindex: 0, "data-size": size, "data-testid": "captions",
      },
      this.empty,
    );
  }

  /** @param {string} size */
  resize(size) {
    this.element.dataset.size = size;
  }

  /** @param {Caption} caption @param {number} voiced seconds of voice it stands for */
  show(caption, voiced) {
    const again = AGAIN.exec(caption.id);
    if (again && this.safe.has(Number(again[1]))) return;
    this.empty.remove();
    const low = this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < 60;
    const known = this.lines.get(caption.id) ?? this.add(caption);
    const wordless = caption.speaker === "learner" && WORDLESS.test(caption.text);
    known.line.toggleAttribute("data-wordless", wordless);
    known.text.textContent = wordless && voiced >= 0.5
      ? t("talk.voiced", { n: number(voiced, { maximumFractionDigits: 0 }) })
      : caption.text;
    known.line.toggleAttribute("data-partial", !caption.final);
    // A line that still changes is read out once, when it is final.
    known.line.setAttribute("aria-busy", String(!caption.final));
    known.mark.textContent = caption.interrupted ? ` — ${t("talk.interrupted")}` : "";
    known.line.hidden = caption.final && caption.text === "";
    if (again) this.safe.set(Number(again[1]), known.line);
    if (low) this.element.scrollTop = this.element.scrollHeight;
  }

  /** The speaker's latest line is safe, as the turn of that index.
   * @param {number} index @param {string} speaker */
  stored(index, speaker) {
    const safe = new Set(this.safe.values());
    const line = [...this.lines.values()]
      .reverse()
      .find((one) => one.line.dataset.speaker === speaker && !one.line.hasAttribute("data-partial"));
    if (line && !safe.has(line.line)) this.safe.set(index, line.line);
  }

  /** The conversation is taken up again: what is safe stays, and the rest is told anew. */
  takeUp() {
    const safe = new Set(this.safe.values());
    for (const [id, { line }] of this.lines) {
      if (safe.has(line)) continue;
      line.remove();
      this.lines.delete(id);
    }
  }

  /** @param {Caption} caption */
  add(caption) {
    const text = h("span", { class: "caption-text" });
    const mark = h("span", { class: "caption-mark" });
    const line = h(
      "p",
      { class: `caption ${caption.speaker}`, "data-testid": "caption", "data-speaker": caption.speaker },
      h("span", { class: "caption-who" }, caption.speaker === "learner" ? t("talk.you") : this.name),
      text,
      mark,
    );
    const made = { line, text, mark };
    this.lines.set(caption.id, made);
    this.element.append(line);
    return made;
  }
}
