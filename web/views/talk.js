// The conversation.

import * as api from "../api.js";
import { audible, openAudio, supported } from "../audio/context.js";
import { MicrophoneError, openMicrophone } from "../audio/microphone.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { clock, language, number, t } from "../i18n.js";
import { greeting, planOf, remember, settings } from "../settings.js";
import { inRooms } from "../server.js";
import { Captions } from "../talk/captions.js";
import { Connection } from "../talk/connection.js";
import { Conversation } from "../talk/conversation.js";
import { take } from "../talk/hold.js";
import { listenToKeys } from "../talk/keys.js";
import { onMeter } from "../talk/level.js";
import { library, Room } from "../talk/room.js";
import { keepAwake } from "../talk/wake.js";
import { found } from "./live.js";
import { face, later } from "./parts.js";
import { noticeWords, problemWords, takeoverWords } from "../words.js";
import { patienceSlider, tick } from "./prepare.js";

/** @typedef {import("../i18n.js").Key} Key */
/** @typedef {import("../protocol.d.ts").Hello} Hello */
/** @typedef {import("../talk/conversation.js").Shown} State */
/** @typedef {import("../talk/conversation.js").Outcome} Outcome */

/** @type {Record<State, string>} */
const PICTURES = {
  connecting: "dots", listening: "ear", thinking: "dots", speaking: "speaker", cut: "cut",
  paused: "pause", ending: "dots",
};

/** @param {string} id @returns {Promise<import("../main.js").Shown>} */
export async function talk(id) {
  const [exercise, rooms] = await Promise.all([api.exercise(language(), id), inRooms()]);
  const { microphone, press } = take();
  // A link straight to the talk has had no click: the sound could not start, so the check comes first.
  if (!microphone && !(supported() && audible())) return go(`#/exercise/${id}/microphone`);
  const context = await openAudio();
  /** @type {Hello} */
  const hello = {
    type: "hello", version: 1, language: language(), exercise: exercise.id, ...greeting(exercise.id),
  };
  if (!rooms) {
    const address = api.talkAddress();
    return conversation(exercise, context, microphone, (listener) => new Connection({ address, hello, context }, listener));
  }
  const here = location.hash;
  const enter = async () => {
    const ticket = await api.begin(hello, press);
    // From now on the address leads back to this session.
    if (location.hash === here) window.history.replaceState(null, "", `#/session/${ticket.session}/talk`);
    return ticket;
  };
  return conversation(exercise, context, microphone, room(context, enter));
}

/** Goes on with a session that is live in a room. @param {string} id
 * @returns {Promise<import("../main.js").Shown>} */
export async function goOn(id) {
  const session = await found(id);
  if (!session) return go(`#/report/${id}`);
  const exercise = await api.exercise(session.language, session.exercise);
  const { microphone } = take();
  if (!microphone && !(supported() && audible())) return go(`#/session/${id}`);
  const context = await openAudio();
  return conversation(exercise, context, microphone, room(context, () => api.rejoin(id)));
}

/** @param {AudioContext} context @param {() => Promise<api.Ticket>} enter
 * @returns {import("../talk/line.d.ts").Opening} */
const room = (context, enter) => (listener) =>
  new Room({ context, library, enter, again: api.rejoin, end: api.end }, listener);

/** @param {string} hash @returns {import("../main.js").Shown} */
function go(hash) {
  queueMicrotask(() => location.replace(hash));
  return { title: t("app.name"), node: h("p", { class: "loading" }, t("app.loading")) };
}

/**
 * @param {api.Exercise} exercise @param {AudioContext} context
 * @param {import("../audio/microphone.js").Microphone | null} microphone
 * @param {import("../talk/line.d.ts").Opening} open
 * @returns {import("../main.js").Shown}
 */
function conversation(exercise, context, microphone, open) {
  const plan = planOf(exercise.id);
  const { name } = exercise.character;
  const captions = new Captions(name, settings.captions);
  let planned = exercise.duration_minutes * 60;
  let elapsed = 0;
  /** @type {State} */
  let state = "connecting";
  let hearing = false;
  /** @type {import("../talk/line.d.ts").Missing | null} */
  let missing = null;

  // What shows the state.
  const ring = h("div", { class: "ring", "aria-hidden": "true" });
  const picture = h("span", { class: "state-icon" }, icon("dots"));
  const word = h("span", { class: "state-word", "data-testid": "state" });
  const hint = h("p", { class: "state-hint" });
  const status = h("p", { class: "state-line", role: "status", "aria-live": "polite" }, picture, word);
  const stage = h("section", { class: "talk-stage", "data-state": state }, h("div", { class: "orb" }, ring, face(exercise.character)), status, hint);
  const labels = h("ul", { class: "talk-labels", "data-testid": "labels" });
  const task = h("p", { class: "talk-task", "data-testid": "task", hidden: true });
  const aim = plan.aim && !plan.practice && h("p", { class: "talk-aim" }, icon("target"), plan.aim);
  const tip = h("p", { class: "talk-tip", role: "status", "data-testid": "hint" });
  const own = h("div", { class: "own-level", "aria-hidden": "true" }, icon("microphone"), h("div", { class: "level-bar" }, h("div", { class: "level-fill" })));
  const ownFill = /** @type {HTMLElement} */ (own.querySelector(".level-fill"));
  const timer = h("p", { class: "timer", "data-testid": "timer", hidden: !settings.timer });
  const notices = h("div", { class: "notices", role: "status", "data-testid": "notices" });
  const banner = h("div", { class: "banner", role: "status", "data-testid": "banner" });

  // What one can do.
  const hold = h("button", { class: "hold", "data-testid": "hold", hidden: !plan.pushToTalk }, icon("microphone"), h("span", {}, t("talk.ptt")));
  const done = h("button", { class: "done", "data-testid": "done", hidden: plan.pushToTalk || !microphone, disabled: true }, icon("check"), h("span", {}, t("talk.done")));
  const pause = h("button", { "data-testid": "pause", "aria-pressed": "false" }, icon("pause"), h("span", {}, t("talk.pause")));
  const interrupt = h("button", { "data-testid": "interrupt", disabled: true }, icon("hand"), h("span", {}, t("talk.interrupt")));
  const help = h("button", { "data-testid": "help" }, icon("help"), h("span", {}, t("talk.help")));
  const repeat = h("button", { "data-testid": "repeat" }, icon("repeat"), h("span", {}, t("talk.repeat")));
  const restart = h("button", { "data-testid": "restart" }, icon("restart"), h("span", {}, t("talk.restart")));
  const end = h("button", { class: "danger", "data-testid": "end" }, icon("stop"), h("span", {}, t("talk.end")));
  const text = h("input", { type: "text", maxlength: 2000, autocomplete: "off", placeholder: t("talk.say.placeholder"), "data-testid": "say-text" });
  const say = h(
    "form",
    { class: "say", "data-testid": "say" },
    h("label", {}, h("span", {}, icon("keyboard"), t("talk.say")), text),
    h("button", { "data-testid": "say-send" }, t("talk.say.send")),
  );

  const body = h(
    "div",
    { class: "talk", "data-testid": "talk" },
    h("h1", { class: "talk-title" }, t("talk.title", { name })),
    banner,
    h("div", { class: "talk-side" }, stage, own, timer, labels, aim, notices, tip, hold, done, h("div", { class: "talk-buttons" }, interrupt, repeat, help, pause, restart, end)),
    h("div", { class: "talk-main" }, task, captions.element, say, options()),
  );
  const node = h("div", { class: "talk-view" }, body);

  function draw() {
    // Nobody listens or speaks while somebody is missing.
    const now = missing && state !== "ending" ? "connecting" : state;
    stage.dataset.state = now;
    stage.toggleAttribute("data-hearing", hearing && !missing);
    const key = now === "listening" && hearing ? "hearing" : now;
    if (word.dataset.state !== now) {
      picture.replaceChildren(icon(PICTURES[now]));
      word.textContent = t(`talk.state.${now}`); // announced, hence touched only when it changes
      word.dataset.state = now;
    }
    hint.textContent = missing && missing !== "late" && now !== "ending" ? "" : t(`talk.hint.${key}`, { name });
    interrupt.disabled = now !== "speaking";
    done.disabled = now !== "listening";
    const paused = state === "paused";
    pause.setAttribute("aria-pressed", String(paused));
    pause.replaceChildren(icon(paused ? "play" : "pause"), h("span", {}, t(paused ? "talk.resume" : "talk.pause")));
  }

  /** @param {string} code @param {string} message */
  function notice(code, message) {
    const old = notices.querySelector(`[data-code="${CSS.escape(code)}"]`);
    const line = h("p", { class: "note", "data-code": code }, icon("warning"), message);
    if (old) old.replaceWith(line);
    else notices.append(line);
  }

  const talking = new Conversation({
    open,
    microphone,
    pushToTalk: plan.pushToTalk,
    screen: {
      ready: (ready) => {
        if (ready.resumed) captions.takeUp();
        planned = ready.duration;
        task.textContent = ready.task ?? "";
        task.hidden = !ready.task;
        help.hidden = ready.exam ?? false;
        restart.hidden = (ready.purpose ?? "exercise") !== "exercise";
        if (ready.exam) label("exam", t("talk.exam"));
        if (ready.level) label("level", t("talk.level", { n: ready.level }));
        phase(ready.phase ?? "exercise", ready.elapsed ?? 0);
        clearInterval(tickTimer);
        tickTimer = setInterval(second, 1000);
      },
      phase: (now) => phase(now, 0),
      stored: (index, speaker) => captions.stored(index, speaker),
      away: (who) => {
        missing = who;
        clearTimeout(bannerTimer);
        banner.dataset.missing = who;
        banner.replaceChildren(icon("warning"), t(`talk.away.${who}`, { name }));
        draw();
      },
      back: () => {
        const words = missing === "line" || missing === "partner" ? t(`talk.back.${missing}`, { name }) : "";
        missing = null;
        delete banner.dataset.missing;
        banner.replaceChildren(...(words ? [icon("check"), words] : []));
        bannerTimer = setTimeout(() => banner.replaceChildren(), BACK);
        draw();
      },
      demand: (level) => label("level", t("talk.level", { n: level })),
      hint: (words) => tip.replaceChildren(icon("idea"), words),
      mark: (word, count) => {
        label("mark", t("talk.mark", { word, n: count }));
        blip(context);
      },
      state: (next) => {
        state = next;
        draw();
      },
      caption: (caption, voiced) => captions.show(caption, voiced),
      notice: (code, message) => notice(code, noticeWords(code, message)),
      serves: (change) => notice(`takeover_${change.stage}`, takeoverWords(change)),
      level: (level, mine) => {
        const height = onMeter(level);
        if (mine) ownFill.style.transform = `scaleX(${height.toFixed(3)})`;
        else ring.style.setProperty("--level", height.toFixed(3));
      },
      hearing: (on) => {
        hearing = on;
        if (on) tip.replaceChildren();
        draw();
      },
      unsent: (seconds) => notice("unsent", t("talk.unsent", { n: number(seconds, { maximumFractionDigits: 1 }) })),
      overflow: () => notice("overflow", t("talk.overflow")),
      over,
    },
  });
  if (microphone) microphone.onlost = () => void replug();

  /** A fact that stays in sight. @param {string} kind @param {string} words */
  function label(kind, words) {
    const item = h("li", { "data-kind": kind }, words);
    const old = labels.querySelector(`[data-kind="${kind}"]`);
    if (old) old.replaceWith(item);
    else labels.append(item);
  }

  /** @param {"warm_up" | "exercise"} now @param {number} since seconds of the exercise's time */
  function phase(now, since) {
    warming = now === "warm_up";
    if (warming) label("phase", t("talk.warm_up"));
    else labels.querySelector('[data-kind="phase"]')?.remove();
    elapsed = since;
    show();
  }

  let warming = false;
  let tickTimer = 0;
  let bannerTimer = 0;
  function second() {
    if (state !== "paused" && !missing) elapsed += 1;
    show();
  }

  function show() {
    timer.textContent = warming
      ? clock(elapsed)
      : t("talk.timer.of", { elapsed: clock(elapsed), planned: clock(planned) });
  }

  /** The microphone was unplugged: any other one will do. */
  async function replug() {
    try {
      const other = await openMicrophone("");
      if (talking.over) {
        other.close();
        return;
      }
      other.onlost = () => void replug();
      talking.listen(other);
      notice("microphone", t("talk.mic_back"));
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      notice("microphone", t("talk.mic_lost"));
    }
  }

  const replugIfGone = () => {
    if (talking.microphone?.track.readyState === "ended") void replug();
  };

  /** A call, or another tab, may stop the sound of the page; a tap takes it back. */
  const suspended = () => {
    if (context.state !== "running" && !talking.over) notice("suspended", t("talk.suspended"));
    else notices.querySelector('[data-code="suspended"]')?.remove();
  };
  const wakeSound = () => {
    if (context.state !== "running") void context.resume();
  };

  interrupt.addEventListener("click", () => talking.interrupt());
  pause.addEventListener("click", () => talking.pause(state !== "paused"));
  done.addEventListener("click", () => talking.done());
  help.addEventListener("click", () => talking.ask("help"));
  repeat.addEventListener("click", () => talking.ask("repeat"));
  restart.addEventListener("click", () => talking.ask("restart"));
  end.addEventListener("click", () => talking.end());
  say.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (words === "") return;
    talking.say(words);
    text.value = "";
  });

  /** @param {boolean} on */
  function press(on) {
    talking.press(on);
    hold.toggleAttribute("data-held", talking.pressed);
    hold.replaceChildren(icon("microphone"), h("span", {}, t(talking.pressed ? "talk.ptt.on" : "talk.ptt")));
  }
  hold.addEventListener("pointerdown", (event) => {
    hold.setPointerCapture(event.pointerId);
    press(true);
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) hold.addEventListener(name, () => press(false));
  hold.addEventListener("contextmenu", (event) => event.preventDefault());
  hold.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    press(true);
  });
  hold.addEventListener("keyup", (event) => {
    if (event.key === " " || event.key === "Enter") press(false);
  });

  function options() {
    const sizes = /** @type {const} */ (["m", "l", "xl"]);
    const size = h("select", { "data-testid": "caption-size" }, ...sizes.map((one) => h("option", { value: one, selected: one === settings.captions }, t(`talk.captions.${one}`))));
    size.addEventListener("change", () => {
      remember({ captions: /** @type {"m" | "l" | "xl"} */ (size.value) });
      captions.resize(size.value);
    });
    const keys = /** @type {const} */ (["escape", "v", "space", "p", "h", "r"]);
    return h(
      "details",
      { class: "talk-options", "data-testid": "options" },
      h("summary", {}, t("talk.options")),
      patienceSlider({
        value: plan.patience ?? exercise.patience.maximum,
        most: Math.max(6, exercise.patience.maximum),
        help: "talk-patience-help",
        helpText: t("prepare.patience.help", { name }),
        changed: (seconds) => {
          plan.patience = seconds;
          talking.setPatience(seconds);
        },
      }),
      tick("talk-ptt", t("talk.ptt.option"), "", plan.pushToTalk, (on) => {
        plan.pushToTalk = on;
        hold.hidden = !on;
        done.hidden = on;
        talking.setPushToTalk(on);
      }),
      tick("show-timer", t("talk.timer.show"), "", settings.timer, (on) => {
        remember({ timer: on });
        timer.hidden = !on;
      }),
      h("label", { class: "field" }, t("talk.captions.size"), size),
      h("h2", {}, t("talk.keys")),
      tick("letter-keys", t("talk.keys.option"), "", settings.keys, (on) => remember({ keys: on })),
      h("ul", { class: "keys" }, ...keys.map((key) => h("li", {}, t(`talk.keys.${key}`)))),
    );
  }

  const stopKeys = listenToKeys({
    interrupt: () => {
      if (state === "speaking") talking.interrupt();
    },
    pause: () => talking.pause(state !== "paused"),
    help: () => {
      if (!help.hidden) talking.ask("help");
    },
    repeat: () => talking.ask("repeat"),
    press,
    letters: () => settings.keys,
  });
  const letSleep = keepAwake();
  /** @param {BeforeUnloadEvent} event */
  const ask = (event) => event.preventDefault();
  window.addEventListener("beforeunload", ask);
  context.addEventListener("statechange", suspended);
  document.addEventListener("pointerdown", wakeSound);
  navigator.mediaDevices?.addEventListener("devicechange", replugIfGone);

  function leave() {
    clearInterval(tickTimer);
    clearTimeout(bannerTimer);
    stopKeys();
    letSleep();
    window.removeEventListener("beforeunload", ask);
    context.removeEventListener("statechange", suspended);
    document.removeEventListener("pointerdown", wakeSound);
    navigator.mediaDevices?.removeEventListener("devicechange", replugIfGone);
    if (!talking.over) talking.close();
  }

  /** @param {Outcome} outcome */
  function over(outcome) {
    leave();
    if (outcome.kind === "ended") {
      location.replace(`#/report/${outcome.session}`);
      return;
    }
    const screen = h("div", {}, ending(exercise.id, outcome));
    node.replaceChildren(screen);
    const heading = node.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus();
  }

  show();
  draw();
  return { title: t("talk.title", { name }), node, leave };
}

/** Milliseconds for which it is said that everybody is there again. */
const BACK = 5000;

/** A short soft tone, that interrupts nobody. @param {AudioContext} context */
function blip(context) {
  const tone = new OscillatorNode(context, { frequency: 660 });
  const soft = new GainNode(context, { gain: 0.06 });
  soft.gain.setTargetAtTime(0, context.currentTime + 0.05, 0.05);
  tone.connect(soft).connect(context.destination);
  tone.start();
  tone.stop(context.currentTime + 0.4);
}

/** What is safe after the connection was lost. @param {Extract<Outcome, {kind: "lost"}>} outcome */
function lostWords({ opened, session, turns }) {
  if (!opened || !session) return t("talk.lost.never");
  return turns > 0 ? t("talk.lost.some", { n: turns }) : t("talk.lost.none");
}

/** The way to another try: at once, or when the server has asked to wait.
 * @param {string} href @param {number} [wait] seconds */
const again = (href, wait) =>
  wait
    ? later(wait, t("talk.again"), () => (location.hash = href))
    : h("a", { class: "button", href }, t("talk.again"));

/** The screen after a conversation that broke off. @param {string} exercise
 * @param {Exclude<Outcome, {kind: "ended"}>} outcome */
function ending(exercise, outcome) {
  const lost = outcome.kind === "lost";
  const saved = lost && !outcome.resume && outcome.turns > 0 && outcome.session;
  const { title, text } = lost
    ? { title: t("talk.lost.title"), text: [h("p", {}, lostWords(outcome))] }
    : problemWords({ ...outcome, title: t("talk.failed.title") });
  return h(
    "section",
    { class: "screen narrow", "data-testid": lost ? "lost" : "failed" },
    h("div", { class: "screen-icon" }, icon("warning")),
    h("h1", {}, title),
    ...text,
    h(
      "p",
      { class: "actions" },
      saved && h("a", { class: "button primary", href: `#/report/${outcome.session}` }, t("talk.report")),
      outcome.resume
        ? h("a", { class: "button primary", href: `#/session/${outcome.resume}`, "data-testid": "resume" }, t("live.resume"))
        : again(`#/exercise/${exercise}/microphone`, lost ? undefined : outcome.wait),
      h("a", { class: "button", href: "#/" }, t("nav.exercises")),
    ),
  );
}
