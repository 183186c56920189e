// Words and figures in the reader's language.

import { EN } from "./messages/en.js";
import { FR } from "./messages/fr.js";

/** @typedef {keyof typeof FR} Message */

export class Tongue {
  /** @param {string} code */
  constructor(code) {
    this.code = code === "en" ? "en" : "fr";
    this.messages = this.code === "en" ? EN : FR;
    this.plural = new Intl.PluralRules(this.code);
  }

  /**
   * The message of that key. `{n}` stands for a place, `{n|word|words}` for the form that agrees
   * with the number in place n.
   * @param {Message} key @param {Record<string, string | number>} [places]
   */
  t(key, places = {}) {
    return this.messages[key].replace(
      /\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g,
      (/** @type {string} */ whole, /** @type {string} */ name, /** @type {string | undefined} */ one, /** @type {string} */ many) => {
        const value = places[name] ?? whole;
        if (one !== undefined) return this.plural.select(Number(value)) === "one" ? one : many;
        return typeof value === "number" ? this.number(value) : value;
      },
    );
  }

  /** The message of a key that the server chooses, or nothing. @param {string} key */
  known(key) {
    return key in FR ? this.t(/** @type {Message} */ (key)) : "";
  }

  /** « Label : text », as each language sets it. @param {string} label @param {string} text */
  labelled(label, text) {
    return this.t("labelled", { label, text });
  }

  /** The learner's words, in quotation marks. @param {string} text */
  quote(text) {
    return this.t("quote", { text });
  }

  /** A label at the head of something. @param {string} label */
  title(label) {
    return label.replace(/\p{L}/u, (letter) => letter.toLocaleUpperCase(this.code));
  }

  /** @param {number} value @param {number} [digits] */
  number(value, digits = 1) {
    return new Intl.NumberFormat(this.code, { maximumFractionDigits: digits }).format(value).replace("-", "−");
  }

  /** @param {number} value 0..1 */
  share(value) {
    return new Intl.NumberFormat(this.code, { style: "percent", maximumFractionDigits: 0 }).format(value);
  }

  /** @param {number} value 0..1 */
  score(value) {
    return this.number(100 * value, 0);
  }

  /** A measure's value without its unit. @param {number} value @param {{percent: boolean}} measure */
  value(value, { percent }) {
    return percent ? this.share(value) : this.number(value, Math.abs(value) < 1 ? 2 : 1);
  }

  /** A measure's value with its unit. @param {number} value
   * @param {{unit: string, percent: boolean}} measure */
  quantity(value, measure) {
    return [this.value(value, measure), measure.unit].filter(Boolean).join("\u00a0");
  }

  /** What a measure is to reach, in words. @param {number | null} low @param {number | null} high
   * @param {{unit: string, percent: boolean}} measure */
  target(low, high, measure) {
    if (low !== null && high !== null) return this.t("target.between", { low: this.value(low, measure), high: this.quantity(high, measure) });
    if (low !== null) return this.t("target.least", { low: this.quantity(low, measure) });
    if (high !== null) return this.t("target.most", { high: this.quantity(high, measure) });
    return "";
  }

  /** @param {number} seconds */
  clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  }

  /** @param {number} seconds POSIX time */
  date(seconds) {
    return new Intl.DateTimeFormat(this.code, { dateStyle: "long", timeStyle: "short" }).format(seconds * 1000);
  }

  /** @param {number} seconds POSIX time */
  day(seconds) {
    return new Intl.DateTimeFormat(this.code, { weekday: "long", day: "numeric", month: "long" }).format(seconds * 1000);
  }

  /** Why a session ended, in words; nothing for a reason of which there are none.
   * @param {string} reason */
  end(reason) {
    return this.known(`end.${reason}`);
  }

  /** A provider as it is called. @param {string} name */
  stage(name) {
    return this.known(`stage.${name}`) || name;
  }
}
