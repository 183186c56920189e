// What the check hands on to the conversation: the open microphone, so that nobody is asked twice,
// and the name of the press on "start", so that one press makes one session.

/** @typedef {import("../audio/microphone.js").Microphone} Microphone */
/** @typedef {{microphone: Microphone | null, press: string}} Start */

/** @type {Start | null} */
let held = null;

/** A name that nothing else has. */
function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {Microphone | null} microphone none for a learner who types */
export function keep(microphone) {
  held?.microphone?.close();
  held = { microphone, press: fresh() };
}

/** What was kept, once. @returns {Start} */
export function take() {
  const start = held ?? { microphone: null, press: fresh() };
  held = null;
  return start;
}
