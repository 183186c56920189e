// What a few seconds of microphone frames say about it.

/** @typedef {import("../audio/microphone.js").Frame} Frame */
/** @typedef {"clipping" | "noise" | "quiet" | null} Advice */

/** Frames of 20 ms. */
const SECOND = 50;
/** Decibels relative to full scale: the foot of the meter, a voice, a noisy room, a faint voice. */
const FLOOR = -60;
const VOICE = -50;
const NOISE = -45;
const FAINT = -34;
/** Decibels by which a voice stands out of the room. */
const ABOVE = 9;

/** @param {number} level root mean square, 0..1 */
export const decibels = (level) => 20 * Math.log10(Math.max(level, 1e-6));

/** Where a level stands on a meter, 0..1. @param {number} level root mean square, 0..1 */
export const onMeter = (level) => Math.max(0, Math.min(1, 1 - decibels(level) / FLOOR));

/** Follows the frames of a microphone that is being tried. */
export class Check {
  constructor() {
    /** @type {number[]} levels of the last seconds, in decibels */
    this.levels = [];
    this.loud = 0;
    this.heard = false;
    this.clippedAgo = Infinity;
  }

  /** @param {Frame} frame @returns {{level: number, heard: boolean, advice: Advice}} */
  add(frame) {
    const level = decibels(frame.level);
    this.levels.push(level);
    if (this.levels.length > 4 * SECOND) this.levels.shift();
    this.clippedAgo = frame.clipped > 0 ? 0 : this.clippedAgo + 1;
    const sorted = [...this.levels].sort((a, b) => a - b);
    const room = sorted[Math.floor(sorted.length * 0.1)];
    const voice = sorted[Math.floor(sorted.length * 0.9)];
    if (level > VOICE && level > room + ABOVE) this.loud += 1; // a steady noise is no voice
    if (this.loud >= 12) this.heard = true;
    return { level: onMeter(frame.level), heard: this.heard, advice: this.advice(room, voice) };
  }

  /** @param {number} room @param {number} voice @returns {Advice} */
  advice(room, voice) {
    if (this.clippedAgo < 2 * SECOND) return "clipping";
    if (this.levels.length < 3 * SECOND) return null;
    if (room > NOISE) return "noise";
    return this.heard && voice < FAINT && voice > VOICE ? "quiet" : null;
  }
}
