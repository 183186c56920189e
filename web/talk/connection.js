// The wire to the server: messages as JSON, sound as bytes.

/** @typedef {import("../protocol.d.ts").ClientMessage} ClientMessage */
/** @typedef {import("../protocol.d.ts").ServerMessage} ServerMessage */

/** Bytes that may wait to be sent: ten seconds of voice. */
const BACKLOG = 320_000;

/**
 * @typedef {object} Listener
 * @property {(message: ServerMessage) => void} message
 * @property {(frame: ArrayBuffer) => void} sound
 * @property {(opened: boolean) => void} closed the connection is gone; was it ever open?
 * @property {(seconds: number) => void} lost so much of the voice in all could not be sent
 */

export class Connection {
  /** @param {string} address @param {ClientMessage} hello @param {Listener} listener */
  constructor(address, hello, listener) {
    this.listener = listener;
    this.lost = 0;
    let opened = false;
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      opened = true;
      this.send(hello);
    };
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") listener.message(JSON.parse(data));
      else listener.sound(data);
    };
    this.socket.onclose = () => listener.closed(opened);
  }

  /** @param {ClientMessage} message */
  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
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

  close() {
    this.socket.onclose = null;
    this.socket.onmessage = null;
    this.socket.close();
  }
}
