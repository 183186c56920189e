// One conversation: the wire, the loudspeaker and the microphone, and what the screen shows of them.

import { Player } from "../audio/player.js";
import { Connection } from "./connection.js";
import { Voiced } from "./voiced.js";

/** @typedef {import("../protocol.d.ts").ServerMessage} ServerMessage */
/** @typedef {import("../protocol.d.ts").Caption} Caption */
/** @typedef {import("../protocol.d.ts").Hello} Hello */
/** @typedef {import("../audio/microphone.js").Microphone} Microphone */
/** @typedef {import("../audio/microphone.js").Frame} Frame */

/**
 * What the screen shows. `cut`: the character has just been interrupted.
 * @typedef {"connecting" | "listening" | "thinking" | "speaking" | "cut" | "paused" | "ending"} Shown
 */

/**
 * How it came to its end. `lost` means that the connection broke off.
 * @typedef {{kind: "ended", session: string, status: string, reason: string}
 *   | {kind: "failed", code: string, message: string, mend: string, retryable: boolean}
 *   | {kind: "lost", session: string, turns: number, opened: boolean}} Outcome
 */

/**
 * @typedef {object} Screen
 * @property {(ready: import("../protocol.d.ts").Ready) => void} ready
 * @property {(state: Shown) => void} state
 * @property {(caption: Caption, voiced: number) => void} caption `voiced`: seconds of the learner's
 *   voice that it stands for
 * @property {(code: string, message: string) => void} notice
 * @property {(phase: "warm_up" | "exercise") => void} phase
 * @property {(level: number, highest: number) => void} demand how demanding the partner is now
 * @property {(text: string) => void} hint
 * @property {(word: string, count: number) => void} mark a word that the drill forbids was heard
 * @property {(level: number, own: boolean) => void} level of the learner (own) or the character, 0..1
 * @property {(on: boolean) => void} hearing
 * @property {(seconds: number) => void} unsent so much of the voice was lost on a slow network
 * @property {() => void} overflow the server sent more sound than can wait
 * @property {(outcome: Outcome) => void} over
 */

/** Milliseconds for which "cut" stays on the screen unless something else happens. */
const CUT = 1500;
/** Milliseconds to wait for the server's farewell before leaving without it. */
const FAREWELL = 10_000;

export class Conversation {
  /**
   * @param {{address: string, hello: Hello, context: AudioContext, microphone: Microphone | null,
   *   screen: Screen}} parts
   */
  constructor({ address, hello, context, microphone, screen }) {
    this.screen = screen;
    this.session = "";
    this.turns = 0;
    this.over = false;
    this.paused = false;
    this.pushToTalk = hello.push_to_talk ?? false;
    this.pressed = false;
    /** @type {Shown} */
    this.state = "connecting";
    /** What to show once "cut" has been shown long enough. @type {Shown} */
    this.next = "listening";
    /** @type {number | null} the segment that may be heard now */
    this.sounding = null;
    this.voiced = new Voiced();
    this.cutTimer = 0;
    this.farewell = 0;
    this.player = new Player(context, (report) => this.played(report));
    this.connection = new Connection(address, hello, {
      message: (message) => this.receive(message),
      sound: (frame) => this.player.add(frame),
      closed: (opened) =>
        this.finish({ kind: "lost", session: this.session, turns: this.turns, opened }),
      lost: (seconds) => this.screen.unsent(seconds),
    });
    /** @type {Microphone | null} */
    this.microphone = null;
    if (microphone) this.listen(microphone);
  }

  /** Takes this microphone from now on. @param {Microphone} microphone */
  listen(microphone) {
    if (this.microphone !== microphone) this.microphone?.close();
    this.microphone = microphone;
    microphone.onframe = (frame) => this.heard(frame);
    this.gate();
  }

  /** The voice only leaves the page when it is wanted: silence is sent in its place. */
  gate() {
    if (!this.microphone) return;
    this.microphone.muted = this.paused || (this.pushToTalk && !this.pressed);
  }

  /** @param {Frame} frame */
  heard(frame) {
    if (this.session) this.connection.voice(frame.samples);
    this.screen.level(frame.level, true);
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
      case "segment_start":
        this.player.open(message.segment);
        break;
      case "segment_end":
        this.player.finish(message.segment);
        break;
      case "playback_pause":
        this.player.hold(true);
        break;
      case "playback_resume":
        if (!this.paused) this.player.hold(false);
        break;
      case "playback_clear":
        if (this.sounding === message.segment) this.cut();
        this.player.clear(message.segment);
        break;
      case "caption":
        this.screen.caption(message, this.voiced.seconds(performance.now() / 1000));
        if (message.final && message.speaker === "learner") this.voiced.clear(performance.now() / 1000);
        break;
      case "turn_stored":
        this.turns += 1;
        break;
      case "notice":
        this.screen.notice(message.code, message.message);
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
    this.next = "listening";
    this.show("cut");
    this.cutTimer = setTimeout(() => this.show(this.next), CUT);
  }

  /** @param {import("../audio/player.js").PlaybackReport} report */
  played(report) {
    switch (report.kind) {
      case "level":
        this.screen.level(report.level, false);
        return;
      case "overflow":
        this.screen.overflow();
        return;
      case "started":
        this.sounding = report.segment;
        this.connection.send({ type: "playback_started", segment: report.segment });
        return;
      default:
        if (report.kind !== "progress") this.sounding = null;
        this.connection.send({
          type: `playback_${report.kind}`, segment: report.segment, position: report.position,
        });
    }
  }

  interrupt() {
    this.connection.send({ type: "interrupt" });
  }

  /** @param {boolean} on */
  pause(on) {
    if (this.paused === on || this.over) return;
    this.paused = on;
    this.gate();
    this.player.hold(on);
    this.connection.send({ type: on ? "pause" : "resume" });
    this.show(on ? "paused" : "listening");
  }

  /** @param {boolean} on */
  setPushToTalk(on) {
    this.pushToTalk = on;
    this.pressed = false;
    this.gate();
    this.connection.send({ type: "set_push_to_talk", on });
  }

  /** The learner holds, or lets go of, the key to talk. @param {boolean} on */
  press(on) {
    if (!this.pushToTalk || this.pressed === on || this.paused) return;
    this.pressed = on;
    this.gate();
    this.connection.send({ type: on ? "press" : "release" });
  }

  /** The learner has said it all: no need to wait for a silence. */
  done() {
    this.connection.send({ type: "release" });
  }

  /** Asks for a hint, for the last line again, or to go back to the first question.
   * @param {"help" | "repeat" | "restart"} what */
  ask(what) {
    this.connection.send({ type: what });
  }

  /** @param {number} seconds */
  setPatience(seconds) {
    this.connection.send({ type: "set_patience", seconds });
  }

  /** A typed turn. @param {string} text */
  say(text) {
    this.connection.send({ type: "say", text });
  }

  /** The learner is done: says so, and leaves when the server has answered. */
  end() {
    if (this.over || this.state === "ending") return;
    this.show("ending");
    this.player.hold(true);
    this.connection.send({ type: "end" });
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
    this.connection.close();
    this.player.close();
    this.microphone?.close();
  }
}
