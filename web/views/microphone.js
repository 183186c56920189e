// The microphone check: permission, level, device, and plain words when it cannot be had.

import * as api from "../api.js";
import { openAudio, playTone, supported } from "../audio/context.js";
import { inputs, MicrophoneError, openMicrophone } from "../audio/microphone.js";
import { Recording } from "../audio/recording.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { language, t } from "../i18n.js";
import { planOf, remember, settings } from "../settings.js";
import { inRooms } from "../server.js";
import { keep } from "../talk/hold.js";
import { Check } from "../talk/level.js";
import { library } from "../talk/room.js";
import { found } from "./live.js";
import { back } from "./parts.js";
import { tick } from "./prepare.js";

/** @typedef {import("../audio/microphone.js").Microphone} Microphone */
/** @typedef {import("../audio/microphone.js").Obstacle} Obstacle */

/** Seconds that one hears of oneself. */
const SAMPLE = 3;

/** @param {string} id @returns {Promise<import("../main.js").Shown>} */
export async function microphone(id) {
  const exercise = await api.exercise(language(), id);
  const { practice } = planOf(id);
  // The click on "start" will need it; what fails now is told then.
  inRooms().then((rooms) => (rooms ? library() : undefined)).catch(() => {});
  return checked(
    exercise, `#/exercise/${id}/talk`,
    practice ? back(`#/report/${practice.of}`, t("report.parent")) : back(`#/exercise/${id}`, exercise.title),
  );
}

/** The check on the way back to a session that is live. @param {string} id
 * @returns {Promise<import("../main.js").Shown>} */
export async function microphoneAgain(id) {
  const session = await found(id);
  if (!session) throw new api.Problem({ title: t("problem.session_ended"), code: "session_ended" });
  const exercise = await api.exercise(session.language, session.exercise);
  return checked(exercise, `#/session/${id}/talk`, back(`#/session/${id}`, t("live.title")));
}

/** @param {api.Exercise} exercise @param {string} talk where it leads @param {Node} wayBack
 * @returns {import("../main.js").Shown} */
function checked(exercise, talk, wayBack) {
  const { name } = exercise.character;
  const plan = planOf(exercise.id);
  const { practice } = plan;
  const body = h("div", { class: "mic-body" });
  const node = h("section", { class: "narrow mic" }, wayBack, body);
  /** @type {Microphone | null} */
  let open = null;
  /** @type {Recording | null} */
  let recording = null;
  let handed = false;
  let gone = false;

  const refresh = () => void devices();
  navigator.mediaDevices?.addEventListener("devicechange", refresh);

  /** @param {HTMLElement} heading @param {...Node} rest */
  function fill(heading, ...rest) {
    body.replaceChildren(heading, ...rest);
    if (!node.isConnected) return;
    heading.setAttribute("tabindex", "-1");
    heading.focus({ preventScroll: true });
  }

  /** Asks for the microphone; runs within a click. @param {string} device */
  async function ask(device) {
    fill(h("h1", {}, t("mic.title")), h("p", { role: "status" }, t("mic.asking")));
    try {
      const next = await openMicrophone(device);
      if (gone) {
        next.close();
        return;
      }
      open?.close();
      open = next;
      remember({ device: next.device });
      await check(next);
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      obstacle(error.obstacle);
    }
  }

  const typing = () =>
    h("button", { class: "quiet", "data-testid": "no-microphone", onclick: () => void withoutMicrophone() }, icon("keyboard"), t("mic.type"));

  async function withoutMicrophone() {
    if (supported()) await openAudio();
    keep(null);
    location.hash = talk;
  }

  /** @param {Obstacle} kind */
  function obstacle(kind) {
    /** @param {string} end */
    const words = (end) => t(/** @type {import("../i18n.js").Key} */ (`mic.${kind}.${end}`));
    fill(
      h("h1", {}, words("title")),
      h(
        "div",
        { class: "obstacle", "data-testid": `mic-${kind}` },
        h("p", {}, words("text")),
        h("ol", {}, ...["step1", "step2", "step3"].map((step) => h("li", {}, words(step)))),
        h(
          "p",
          { class: "actions" },
          h("button", { class: "primary", "data-testid": "mic-retry", onclick: () => void ask("") }, t("app.retry")),
          typing(),
        ),
      ),
    );
  }

  const picker = h("select", { "data-testid": "mic-device" });
  picker.addEventListener("change", () => void ask(picker.value));

  async function devices() {
    const found = await inputs();
    picker.replaceChildren(
      ...found.map((device, index) =>
        h(
          "option",
          { value: device.deviceId, selected: device.deviceId === open?.device },
          device.label || t("mic.unnamed", { n: index + 1 }),
        ),
      ),
    );
  }

  /** @param {Microphone} mine */
  async function check(mine) {
    const meter = h("meter", { min: 0, max: 1, value: 0, "aria-label": t("mic.level") });
    const bar = h("div", { class: "level-bar", "aria-hidden": "true" }, h("div", { class: "level-fill" }));
    const fillBar = /** @type {HTMLElement} */ (bar.firstElementChild);
    const verdict = h("p", { class: "verdict", role: "status", "data-testid": "mic-verdict" }, t("mic.waiting"));
    const hint = h("p", { class: "hint", role: "status" });
    recording?.stop();
    recording = null;
    const measured = new Check();
    const sample = h("button", { "data-testid": "record", onclick: record }, icon("microphone"), t("mic.record"));
    const told = h("small", { role: "status", "data-testid": "recorded" }, t("mic.record.help"));

    /** While it runs the button only says so: a disabled one would lose the focus. @param {boolean} on */
    const busy = (on) => sample.setAttribute("aria-disabled", String(on));

    function record() {
      if (sample.getAttribute("aria-disabled") === "true") return;
      recording = new Recording(SAMPLE);
      busy(true);
      told.textContent = t("mic.recording", { n: SAMPLE });
    }

    /** @param {Recording} full */
    async function hearIt(full) {
      told.textContent = t("mic.playing");
      await full.play();
      busy(false);
      told.textContent = t("mic.record.help");
    }

    mine.onframe = (frame) => {
      if (recording && !recording.full) {
        recording.add(frame.samples);
        const words = t("mic.recording", { n: Math.ceil(recording.left) });
        if (recording.full) void hearIt(recording);
        else if (told.textContent !== words) told.textContent = words;
      }
      const { level, heard, advice } = measured.add(frame);
      meter.value = level;
      fillBar.style.transform = `scaleX(${level.toFixed(3)})`;
      if (heard && !verdict.dataset.heard) {
        verdict.dataset.heard = "yes";
        verdict.replaceChildren(icon("check"), t("mic.heard"));
        verdict.dataset.testid = "mic-ok";
      }
      const text = advice ? t(`mic.${advice}`) : "";
      if (hint.textContent !== text) hint.textContent = text;
    };
    mine.onlost = () => obstacle("absent");
    await devices();
    fill(
      h("h1", {}, t("mic.title")),
      h("p", { class: "lead" }, t("mic.say")),
      h("div", { class: "level" }, icon("microphone"), bar, meter),
      verdict,
      hint,
      ...(practice ? [tick("keep-audio", t("prepare.keep"), t("prepare.keep.help"), plan.keepAudio, (on) => {
        plan.keepAudio = on;
      })] : []),
      h(
        "p",
        { class: "actions" },
        h("button", { class: "primary big", "data-testid": "start", onclick: start }, icon("chat"), t("mic.start_with", { name })),
        typing(),
      ),
      h("p", { class: "ai" }, t("app.ai")),
      h("h2", {}, t("mic.trials")),
      h("label", { class: "field" }, t("mic.device"), picker),
      h(
        "div",
        { class: "trials" },
        h("div", {}, sample, told),
        h(
          "div",
          {},
          h("button", { "data-testid": "tone", onclick: () => void playTone() }, icon("speaker"), t("mic.tone")),
          h("small", {}, t("mic.tone.help")),
        ),
      ),
    );
  }

  function start() {
    if (!open || handed) return;
    handed = true;
    keep(open);
    location.hash = talk;
  }

  // Coming here was a click; where it was not (a link from elsewhere), one is asked for.
  if (navigator.userActivation?.hasBeenActive) void ask(settings.device);
  else {
    body.append(
      h("h1", {}, t("mic.title")),
      h("p", { class: "lead" }, t("prepare.why_microphone")),
      h("p", { class: "actions" }, h("button", { class: "primary", "data-testid": "mic-open", onclick: () => void ask(settings.device) }, icon("microphone"), t("mic.open"))),
    );
  }

  return {
    title: t("mic.title"),
    node,
    leave: () => {
      gone = true;
      recording?.stop();
      navigator.mediaDevices?.removeEventListener("devicechange", refresh);
      if (!handed) open?.close();
    },
  };
}
