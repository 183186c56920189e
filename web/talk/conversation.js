// One conversation: its line, the microphone, and what the screen shows of them.

import { Voiced } from "./voiced.js";

/** @typedef {import("../protocol.d.ts").ServerMessage} ServerMessage */
/** @typedef {import("../protocol.d.ts").Caption} Caption */
/** @typedef {import("../audio/microphone.js").Microphone} Microphone */
/** @typedef {import("./line.d.ts").Missing} Missing */
/** @typedef {import("./line.d.ts").Failure} Failure */

/**
 * What the screen shows. `cut`: the character has just been interrupted.
 * @typedef {"connecting" | "listening" | "thinking" | "speaking" | "cut" | "paused" | "ending"} Shown
 */

/**
 * How it came to its end. `lost` means that the connection broke off; `resume` is the session that
 * can be taken up again.
 * @typedef {{kind: "ended", session: string, status: string, reason: string}
 *   | ({kind: "failed"} & Failure)
 *   | {kind: "lost", session: string, turns: number, opened: boolean, resume?: string}} Outcome
 */

/**
 * @typedef {object} Screen
 * @property {(ready: import("../protocol.d.ts").Ready) => void} ready
 * @property {(state: Shown) => void} state
 * @property {(caption: Caption, voiced: number) => void} caption `voiced`: seconds of the learner's
 *   voice that it stands for
 * @property {(code: string, message: string) => void} notice
 * @property {(change: import("../protocol.d.ts").StageChanged) => void} serves
 * @property {(phase: "warm_up" | "exercise") => void} phase
 * @property {(level: number, highest: number) => void} demand how demanding the partner is now
 * @property {(text: string) => void} hint
 * @property {(word: string, count: number) => void} mark a word that the drill forbids was heard
 * @property {(level: number, own: boolean) => void} level of the learner (own) or the character, 0..1
 * @property {(on: boolean) => void} hearing
 * @property {(seconds: number) => void} unsent so much of the voice was lost on a slow network
 * @property {() => void} overflow the server sent more sound than can wait
 * @property {(index: number, speaker: "learner" | "character") => void} stored a turn is safe
 * @property {(missing: Missing) => void} away
 * @property {() => void} back everybody is there again
 * @property {(outcome: Outcome) => void} over
 */

/** Milliseconds for which "cut" stays on the screen unless something else happens. */
const CUT = 1500;
/** Milliseconds to wait for the server's farewell before leaving without it. */
const FAREWELL = 10_000;

export class Conversation {
  /**
   * @param {{open: import("./line.d.ts").Opening, pushToTalk: boolean,
   *   microphone: Microphone | null, screen: Screen}} parts
   */
  constructor({ open, pushToTalk, microphone, screen }) {
    this.screen = screen;
    this.session = "";
    this.turns = 0;
    this.over = false;
    this.paused = false;
    this.pushToTalk = pushToTalk;
    this.pressed = false;
    /** @type {Shown} */
    this.state = "connecting";
    /** What to show once "cut" has been shown long enough. @type {Shown} */
    this.next = "listening";
    this.voiced = new Voiced();
    this.cutTimer = 0;
    this.farewell = 0;
    this.line = open({
      message: (message) => this.receive(message),
      level: (level, own) => this.screen.level(level, own),
      cut: () => this.cut(),
      away: (missing) => this.screen.away(missing),
      back: () => this.back(),
      lost: (seconds) => this.screen.unsent(seconds),
      overflow: () => this.screen.overflow(),
      closed: (opened, resume) =>
        this.finish({ kind: "lost", session: this.session, turns: this.turns, opened, resume }),
      failed: (failure) => this.finish({ ...failure, kind: "failed" }),
    });
    /** @type {Microphone | null} */
    this.microphone = null;
    if (microphone) this.listen(microphone);
  }

  /** Takes this microphone from now on. @param {Microphone} microphone */
  listen(microphone) {
    if (this.microphone !== microphone) this.microphone?.close();
    this.microphone = microphone;
    this.gate();
    this.line.listen(microphone);
  }

  /** The voice only leaves the page when it is wanted: silence is sent in its place. */
  gate() {
    if (!this.microphone) return;
    this.microphone.muted = this.paused || (this.pushToTalk && !this.pressed);
  }

  /** @param {Shown} state */
  show(state) {
    if (this.over || this.state === state) return;
    clearTimeout(this.cutTimer);
    this.state = state;
    this.screen.state(state);
  }

  /** @param {ServerMessage} message */
  receive(message) {
    switch (message.type) {
      case "ready":
        this.session = message.session;
        this.screen.ready(message);
        if (message.resumed && this.state === "connecting") this.takeUp();
        break;
      case "state":
        if (this.state === "ending") break;
        if (message.state === "paused" && !this.paused) {
          // Asked for by voice.
          this.paused = true;
          this.gate();
        }
        this.next = message.state;
        if (!(this.state === "cut" && message.state === "listening")) this.show(message.state);
        break;
      case "hearing":
        this.voiced.turn(message.on, performance.now() / 1000);
        this.screen.hearing(message.on);
        break;
      case "caption":
        this.screen.caption(message, this.voiced.seconds(performance.now() / 1000));
        if (message.final && message.speaker === "learner") this.voiced.clear(performance.now() / 1000);
        break;
      case "turn_stored":
        this.turns += 1;
        this.screen.stored(message.index, message.speaker);
        break;
      case "notice":
        this.screen.notice(message.code, message.message);
        break;
      case "stage":
        this.screen.serves(message);
        break;
      case "phase":
        this.screen.phase(message.phase);
        break;
      case "level":
        this.screen.demand(message.level, message.highest ?? 4);
        break;
      case "hint":
        this.screen.hint(message.text);
        break;
      case "mark":
        this.screen.mark(message.text, message.count);
        break;
      case "error":
        this.finish({ ...message, kind: "failed" });
        break;
      case "ended":
        this.finish({ ...message, kind: "ended" });
        break;
    }
  }

  cut() {
    if (this.state === "thinking") return; // the learner's turn is over already
    this.next = "listening";
    this.show("cut");
    this.cutTimer = setTimeout(() => this.show(this.next), CUT);
  }

  back() {
    this.takeUp();
    this.screen.back();
  }

  /** The other side may have missed, or forgotten, how the microphone is used. */
  takeUp() {
    if (this.over || this.state === "ending") return;
    this.show(this.paused ? "paused" : "listening");
    this.line.send({ type: "set_push_to_talk", on: this.pushToTalk });
    if (this.paused) this.line.send({ type: "pause" });
    else if (this.pressed) this.line.send({ type: "press" });
  }

  interrupt() {
    this.line.send({ type: "interrupt" });
  }

  /** @param {boolean} on */
  pause(on) {
    if (this.paused === on || this.over) return;
    this.paused = on;
    this.gate();
    this.line.hold(on);
    this.line.send({ type: on ? "pause" : "resume" });
    this.show(on ? "paused" : "listening");
  }

  /** @param {boolean} on */
  setPushToTalk(on) {
    this.pushToTalk = on;
    this.pressed = false;
    this.gate();
    this.line.send({ type: "set_push_to_talk", on });
  }

  /** The learner holds, or lets go of, the key to talk. @param {boolean} on */
  press(on) {
    if (!this.pushToTalk || this.pressed === on || this.paused) return;
    this.pressed = on;
    this.gate();
    this.line.send({ type: on ? "press" : "release" });
  }

  /** The learner has said it all: no need to wait for a silence. */
  done() {
    this.line.send({ type: "release" });
  }

  /** Asks for a hint, for the last line again, or to go back to the first question.
   * @param {"help" | "repeat" | "restart"} what */
  ask(what) {
    this.line.send({ type: what });
  }

  /** @param {number} seconds */
  setPatience(seconds) {
    this.line.send({ type: "set_patience", seconds });
  }

  /** A typed turn. @param {string} text */
  say(text) {
    this.line.send({ type: "say", text });
  }

  /** The learner is done: says so, and leaves when the server has answered. */
  end() {
    if (this.over || this.state === "ending") return;
    this.show("ending");
    this.line.hold(true);
    this.line.send({ type: "end" });
    this.farewell = setTimeout(
      () => this.finish({ kind: "lost", session: this.session, turns: this.turns, opened: true }),
      FAREWELL,
    );
  }

  /** @param {Outcome} outcome */
  finish(outcome) {
    if (this.over) return;
    this.close();
    this.screen.over(outcome);
  }

  /** Lets go of everything, without a word. */
  close() {
    this.over = true;
    clearTimeout(this.cutTimer);
    clearTimeout(this.farewell);
    this.line.close();
    this.microphone?.close();
  }
}
