// What this browser remembers for its user, and nothing about what was said.

/**
 * @typedef {object} Settings
 * @property {"fr" | "en"} language
 * @property {"auto" | "light" | "dark"} theme
 * @property {string} device microphone
 * @property {boolean} timer whether the time is shown while talking
 * @property {boolean} keys whether single letters act as keys
 * @property {"m" | "l" | "xl"} captions size of the captions
 * @property {Profile} profile whose norms the report compares with
 * @property {boolean} warmUp whether conversations begin with a question that is not scored
 * @property {boolean} hints whether a hint may come unasked
 */

/** @typedef {"native" | "learner" | "speech_difference" | "child"} Profile */

const KEY = "eloquence";

/** @type {Settings} */
const DEFAULTS = {
  language: navigator.language.startsWith("en") ? "en" : "fr",
  theme: "auto", device: "", timer: true, keys: true, captions: "m",
  profile: "native", warmUp: true, hints: true,
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
 * @property {boolean} exam no hints, no encouragement
 * @property {string | null} goal the measure to work on; "" = none, null = the one that is proposed
 * @property {string} aim the if-then plan of that goal, to be seen while talking
 * @property {Practice | null} practice
 */

/**
 * A drill, or one answer tried again, instead of the whole exercise. `of` is the session that it
 * belongs to.
 * @typedef {{of: string, drill: string} | {of: string, retry: number}} Practice
 */

/** @type {Map<string, Plan>} */
const plans = new Map();

/** @param {string} exercise @returns {Plan} */
export function planOf(exercise) {
  const known = plans.get(exercise);
  if (known) return known;
  const plan = {
    scenario: null, patience: null, pushToTalk: false, keepAudio: false, exam: false, goal: null,
    aim: "", practice: null,
  };
  plans.set(exercise, plan);
  return plan;
}

/** Plans a drill or a retry: the way to it is `#/exercise/ID/microphone`. Preparing the exercise
 * forgets it again. Its sound is kept like that of the take it belongs to, unless the learner says
 * otherwise. @param {string} exercise @param {Practice} practice @param {boolean} keepAudio */
export function practise(exercise, practice, keepAudio) {
  Object.assign(planOf(exercise), { practice, keepAudio });
}

/** What a plan says in the first message. @param {string} exercise @returns {Partial<import("./protocol.d.ts").Hello>} */
export function greeting(exercise) {
  const plan = planOf(exercise);
  const common = {
    exercise, patience: plan.patience, push_to_talk: plan.pushToTalk, keep_audio: plan.keepAudio,
    profile: settings.profile, goal: plan.goal ?? "",
  };
  if (plan.practice) return { ...common, ...plan.practice };
  return {
    ...common, scenario: plan.scenario, warm_up: settings.warmUp, exam: plan.exam,
    hints: settings.hints && !plan.exam,
  };
}
