// The microphone that the check opened, handed on to the conversation without asking twice.

/** @typedef {import("../audio/microphone.js").Microphone} Microphone */

/** @type {Microphone | null} */
let held = null;

/** @param {Microphone} microphone */
export function keep(microphone) {
  held = microphone;
}

/** The microphone that was kept, once. @returns {Microphone | null} */
export function take() {
  const microphone = held;
  held = null;
  return microphone;
}
