// What this browser remembers for its user, and nothing about what was said.

/**
 * @typedef {object} Settings
 * @property {"fr" | "en"} language
 * @property {"auto" | "light" | "dark"} theme
 * @property {string} device microphone
 * @property {boolean} timer whether the time is shown while talking
 * @property {boolean} keys whether single letters act as keys
 * @property {"m" | "l" | "xl"} captions size of the captions
 */

const KEY = "eloquence";

/** @type {Settings} */
const DEFAULTS = {
  language: navigator.language.startsWith("en") ? "en" : "fr",
  theme: "auto", device: "", timer: true, keys: true, captions: "m",
};

/** Storage may be closed to the page (private browsing): the defaults serve then.
 * @param {() => string | null | void} use @returns {string | null} */
function storage(use) {
  try {
    return use() ?? null;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** @returns {Settings} */
function read() {
  const text = storage(() => localStorage.getItem(KEY));
  try {
    return { ...DEFAULTS, ...(text ? JSON.parse(text) : {}) };
  } catch (error) {
    if (error instanceof SyntaxError) return { ...DEFAULTS };
    throw error;
  }
}

export const settings = read();

/** @param {Partial<Settings>} changes */
export function remember(changes) {
  Object.assign(settings, changes);
  storage(() => localStorage.setItem(KEY, JSON.stringify(settings)));
}

/**
 * What was chosen on the way to a conversation.
 * @typedef {object} Plan
 * @property {string | null} scenario
 * @property {number | null} patience seconds; null = as the exercise says
 * @property {boolean} pushToTalk
 * @property {boolean} keepAudio
 */

/** @type {Map<string, Plan>} */
const plans = new Map();

/** @param {string} exercise @returns {Plan} */
export function planOf(exercise) {
  const known = plans.get(exercise);
  if (known) return known;
  const plan = { scenario: null, patience: null, pushToTalk: false, keepAudio: false };
  plans.set(exercise, plan);
  return plan;
}
