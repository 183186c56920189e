// Line drawings on a 24 by 24 grid, drawn for this page. They never carry meaning alone.

import { s } from "./dom.js";

/** @type {Record<string, string>} */
const PATHS = {
  back: "M14.5 5 8 12l6.5 7",
  case: "M4 8h16v11H4zM9 8V5h6v3M4 13h16",
  chat: "M4 5h16v11H11l-5 4v-4H4z",
  chart: "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6",
  check: "M5 12.5 10 17.5 19 7",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.5 2",
  cut: "M5 9v6M9 6v12M13 9v3M16 14l5 5M21 14l-5 5",
  dots: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  ear: "M8 20c3 1 5-1 5-3 0-3 5-4 5-9a6 6 0 0 0-12 0v1M9.5 9a2.7 2.7 0 0 1 5.4 0c0 2.5-2.4 2.8-2.4 5",
  hand: "M8 12V5.5a1.5 1.5 0 0 1 3 0V11M11 10V4a1.5 1.5 0 0 1 3 0v7M14 11V5.5a1.5 1.5 0 0 1 3 0V15c0 4-2.5 6-5.5 6-4 0-5-3-7.5-7 1.5-1.5 3-.5 4 1",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.3 9.5a2.8 2.8 0 1 1 4.2 2.4c-1 .6-1.5 1.1-1.5 2.1M12 16.8h.01",
  history: "M4 12a8 8 0 1 0 2.5-5.8M4 4v4h4M12 8v4.5l3 1.5",
  home: "M4 11 12 4l8 7v9h-5v-6H9v6H4z",
  idea: "M9 17.5h6M10 20.5h4M8.8 14.5a5.8 5.8 0 1 1 6.4 0c-.6.5-.9 1-.9 1.8H9.7c0-.8-.3-1.3-.9-1.8z",
  keyboard: "M3 7h18v10H3zM7 10.5h.01M11 10.5h.01M15 10.5h.01M8 14h8",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
  microphone: "M12 3.5a3 3 0 0 1 3 3V12a3 3 0 0 1-6 0V6.5a3 3 0 0 1 3-3zM6 11.5a6 6 0 0 0 12 0M12 17.5V21",
  monologue: "M4 20V10l8-6 8 6v10M9 20v-6h6v6",
  pause: "M8.5 5v14M15.5 5v14",
  play: "M8 5l11 7-11 7z",
  print: "M7 9V4h10v5M5 17H3.5V9h17v8H19M7 14h10v6H7z",
  repeat: "M4 12V9.5A3.5 3.5 0 0 1 7.500 6H19M16 3l3 3-3 3M20 12v2.500A3.5 3.5 0 0 1 16.500 18H5M8 21l-3-3 3-3",
  restart: "M5 5v5h5M5.500 10A7.500 7.500 0 1 1 4.500 14",
  speaker: "M4 9.5v5h4l5 4V5.5l-5 4zM16.5 9a4.2 4.2 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11",
  star: "M12 4l2.4 5.2 5.6.6-4.2 3.8 1.2 5.6-5-2.9-5 2.9 1.2-5.6L4 9.8l5.6-.6z",
  stop: "M6.5 6.5h11v11h-11z",
  target: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 12h.01",
  text: "M5 6h14M12 6v13M9 19h6",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  warning: "M12 4 2.5 20h19zM12 10v4.5M12 17.3h.01",
};

/** @typedef {keyof typeof PATHS} Icon */

/** @param {string} name @returns {SVGSVGElement} */
export const icon = (name) =>
  s(
    "svg",
    {
      class: "icon", viewBox: "0 0 24 24", fill: "none", stroke: "currentColor",
      "stroke-width": 1.8, "stroke-linecap": "round", "stroke-linejoin": "round",
      "aria-hidden": "true", focusable: "false",
    },
    s("path", { d: PATHS[name] ?? PATHS.chat }),
  );

/** Emoji that the page has a drawing for, so that all signs are of one hand.
 * @type {Record<string, string>} */
const DRAWN = { "💬": "chat", "💼": "case", "🎤": "microphone", "🤝": "hand", "🥂": "star", "🎯": "target" };

/** The drawing for a name or an emoji, or nothing. @param {string} name @returns {string | undefined} */
export const drawing = (name) => DRAWN[name] ?? (name in PATHS ? name : undefined);
