// The character's voice: what is played, and what was really heard.

/** @typedef {import("./worklet.js").PlaybackReport} PlaybackReport */

/** Plays segments of PCM16 at 24 kHz in order and reports each one's fate. */
export class Player {
  /** @param {AudioContext} context @param {(report: PlaybackReport) => void} report */
  constructor(context, report) {
    this.node = new AudioWorkletNode(context, "loudspeaker", {
      numberOfInputs: 0, outputChannelCount: [2],
    });
    this.node.port.onmessage = ({ data }) => report(data);
    this.node.connect(context.destination);
  }

  /** @param {number} segment */
  open(segment) {
    this.node.port.postMessage({ kind: "open", segment });
  }

  /** A binary frame as the server sends it: u32 segment number, then the samples.
   * @param {ArrayBuffer} frame */
  add(frame) {
    const segment = new DataView(frame).getUint32(0, true);
    this.node.port.postMessage({ kind: "sound", segment, samples: frame }, [frame]);
  }

  /** Nothing more of the segment will come. @param {number} segment */
  finish(segment) {
    this.node.port.postMessage({ kind: "finish", segment });
  }

  /** @param {boolean} on */
  hold(on) {
    this.node.port.postMessage({ kind: "hold", on });
  }

  /** @param {number} segment */
  clear(segment) {
    this.node.port.postMessage({ kind: "clear", segment });
  }

  close() {
    this.node.port.onmessage = null;
    this.node.disconnect();
  }
}
