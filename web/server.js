// What the page knows of its server all along: its transport, and who is signed in.

import * as api from "./api.js";

/** @type {Promise<api.Status> | null} */
let asked = null;

/** Asked once, until it is forgotten. @returns {Promise<api.Status>} */
export function server() {
  const asking = (asked ??= api.status());
  asking.catch(() => {
    if (asked === asking) asked = null;
  });
  return asking;
}

export function forget() {
  asked = null;
}

/** Whether conversations are held in rooms. */
export const inRooms = async () => (await server()).transport === "livekit";
