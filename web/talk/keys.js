// The keys of a conversation. They rest while one types.

/**
 * @typedef {object} Keys
 * @property {() => void} interrupt Esc
 * @property {() => void} pause P
 * @property {() => void} help H
 * @property {() => void} repeat R
 * @property {(down: boolean) => void} press V, held
 * @property {() => boolean} letters whether single letters act as keys
 */

/** @param {EventTarget | null} target */
const typing = (target) =>
  target instanceof HTMLElement &&
  (target.matches("textarea, select, input:not([type=checkbox], [type=range])") || target.isContentEditable);

/** Listens until the answer is called. @param {Keys} keys @returns {() => void} */
export function listenToKeys(keys) {
  const letters = new Map([["p", keys.pause], ["h", keys.help], ["r", keys.repeat]]);
  let held = false;
  /** @param {KeyboardEvent} event */
  const down = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      keys.interrupt();
      return;
    }
    if (typing(event.target) || !keys.letters() || event.repeat) return;
    if (event.key.toLowerCase() === "v") {
      held = true;
      keys.press(true);
      return;
    }
    letters.get(event.key.toLowerCase())?.();
  };
  /** @param {KeyboardEvent} event */
  const up = (event) => {
    if (held && event.key.toLowerCase() === "v") letGo();
  };
  // A key let go of in another window is never heard of.
  const letGo = () => {
    if (!held) return;
    held = false;
    keys.press(false);
  };
  document.addEventListener("keydown", down);
  document.addEventListener("keyup", up);
  window.addEventListener("blur", letGo);
  return () => {
    document.removeEventListener("keydown", down);
    document.removeEventListener("keyup", up);
    window.removeEventListener("blur", letGo);
  };
}
