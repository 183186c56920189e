// A session that is still live in its room: it can be taken up again, or ended.

import * as api from "../api.js";
import { MicrophoneError, openMicrophone } from "../audio/microphone.js";
import { openAudio, supported } from "../audio/context.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { date, t } from "../i18n.js";
import { inRooms } from "../server.js";
import { settings } from "../settings.js";
import { keep } from "../talk/hold.js";
import { problem } from "./problem.js";

/** @param {api.StoredSession} session */
export const isLive = ({ status, room }) => status === "live" && Boolean(room);

/** The sessions that can be taken up again. @returns {Promise<api.StoredSession[]>} */
export const live = async () => ((await inRooms()) ? (await api.sessions()).filter(isLive) : []);

/** That session, if it is live. @param {string} id */
export const found = async (id) => (await live()).find((one) => one.id === id);

/** What can be done with it. @param {api.StoredSession} session @param {boolean} first whether it is
 * what the view is for */
function actions(session, first) {
  const places = { title: session.title, date: date(session.started_at) };
  const label = (/** @type {string} */ words) => (first ? null : `${words}, ${t("live.which", places)}`);
  const line = h(
    "p",
    { class: "actions" },
    h("button", { class: "primary", "data-testid": "resume", "aria-label": label(t("live.resume")), onclick: () => void resume() }, icon("play"), t("live.resume")),
    h("button", { class: "danger", "data-testid": "end-live", "aria-label": label(t("live.end")), onclick: () => void end() }, icon("stop"), t("live.end")),
    h("button", { class: "quiet", "data-testid": "resume-typing", onclick: () => void type() }, icon("keyboard"), t("live.type")),
  );

  async function resume() {
    try {
      keep(await openMicrophone(settings.device));
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      location.hash = `#/session/${session.id}/microphone`; // it knows what to do
      return;
    }
    location.hash = `#/session/${session.id}/talk`;
  }

  async function type() {
    if (supported()) await openAudio();
    keep(null);
    location.hash = `#/session/${session.id}/talk`;
  }

  async function end() {
    try {
      await api.end(session.id);
    } catch (error) {
      if (!(error instanceof api.Problem && error.status === 410)) {
        line.replaceWith(problem(error).node);
        return;
      }
    }
    location.hash = `#/report/${session.id}`;
  }

  return line;
}

/** It is said where sessions are begun, and where they are listed. @param {api.StoredSession} session */
export const notice = (session) =>
  h(
    "section",
    { class: "note live", "data-testid": `live-${session.id}`, "aria-label": t("live.title") },
    icon("chat"),
    h(
      "div",
      {},
      h("p", {}, h("strong", {}, t("live.title")), h("br"), t("live.which", { title: session.title, date: date(session.started_at) })),
      actions(session, false),
    ),
  );

/** The door back into a session: a click lets the sound and the microphone in.
 * @param {string} id @returns {Promise<import("../main.js").Shown>} */
export async function resume(id) {
  const session = await found(id);
  if (!session) {
    queueMicrotask(() => location.replace(`#/report/${id}`));
    return { title: t("report.title"), node: h("p", { class: "loading" }, t("app.loading")) };
  }
  return {
    title: t("live.title"),
    node: h(
      "section",
      { class: "screen narrow", "data-testid": "live" },
      h("div", { class: "screen-icon" }, icon("chat")),
      h("h1", {}, t("live.title")),
      h("p", { class: "lead" }, t("live.which", { title: session.title, date: date(session.started_at) })),
      h("p", {}, t("live.text", { name: session.character })),
      actions(session, true),
    ),
  };
}
