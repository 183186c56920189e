// The line of one machine: messages as JSON and sound as bytes over one WebSocket, and the
// loudspeaker that tells the server what was heard.

import { Player } from "../audio/player.js";

/** @typedef {import("../audio/microphone.js").Microphone} Microphone */
/** @typedef {import("../protocol.d.ts").ClientMessage} ClientMessage */
/** @typedef {import("../protocol.d.ts").ServerMessage} ServerMessage */
/** @typedef {import("./line.d.ts").Line} Line */
/** @typedef {import("./line.d.ts").Listener} Listener */

/** Bytes that may wait to be sent: ten seconds of voice. */
const BACKLOG = 320_000;

/** @implements {Line} */
export class Connection {
  /** @param {{address: string, hello: ClientMessage, context: AudioContext}} parts
   * @param {Listener} listener */
  constructor({ address, hello, context }, listener) {
    this.listener = listener;
    this.lost = 0;
    this.ready = false;
    this.held = false;
    /** @type {number | null} the segment that may be heard now */
    this.sounding = null;
    let opened = false;
    this.player = new Player(context, (report) => this.played(report));
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      opened = true;
      this.send(hello);
    };
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.receive(JSON.parse(data));
      else this.player.add(data);
    };
    this.socket.onclose = () => listener.closed(opened);
  }

  /** @param {ServerMessage} message */
  receive(message) {
    switch (message.type) {
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
        if (!this.held) this.player.hold(false);
        break;
      case "playback_clear":
        if (this.sounding === message.segment) this.listener.cut();
        this.player.clear(message.segment);
        break;
      default:
        this.ready ||= message.type === "ready";
        this.listener.message(message);
    }
  }

  /** @param {import("../audio/player.js").PlaybackReport} report */
  played(report) {
    switch (report.kind) {
      case "level":
        this.listener.level(report.level, false);
        return;
      case "overflow":
        this.listener.overflow();
        return;
      case "started":
        this.sounding = report.segment;
        this.send({ type: "playback_started", segment: report.segment });
        return;
      default:
        if (report.kind !== "progress") this.sounding = null;
        this.send({
          type: `playback_${report.kind}`, segment: report.segment, position: report.position,
        });
    }
  }

  /** @param {ClientMessage} message */
  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** @param {Microphone} microphone */
  listen(microphone) {
    microphone.onframe = (frame) => {
      if (this.ready) this.voice(frame.samples);
      this.listener.level(frame.level, true);
    };
  }

  /** One 20 ms frame of the learner's voice. @param {ArrayBuffer} frame */
  voice(frame) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (this.socket.bufferedAmount > BACKLOG) {
      this.lost += 0.02;
      this.listener.lost(this.lost);
      return;
    }
    this.socket.send(frame);
  }

  /** @param {boolean} on */
  hold(on) {
    this.held = on;
    this.player.hold(on);
  }

  close() {
    this.socket.onclose = null;
    this.socket.onmessage = null;
    this.socket.close();
    this.player.close();
  }
}
