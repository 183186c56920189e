// A few seconds of the microphone, kept in memory for its speaker to hear, and nowhere else.

import { openAudio } from "./context.js";
import { INPUT_FRAME, INPUT_RATE } from "./worklet.js";

export class Recording {
  /** @param {number} seconds */
  constructor(seconds) {
    this.samples = new Float32Array(Math.round((seconds * INPUT_RATE) / INPUT_FRAME) * INPUT_FRAME);
    this.filled = 0;
    /** @type {AudioBufferSourceNode | null} */
    this.source = null;
  }

  get full() {
    return this.filled === this.samples.length;
  }

  /** Seconds still to be recorded. */
  get left() {
    return (this.samples.length - this.filled) / INPUT_RATE;
  }

  /** @param {ArrayBuffer} frame PCM16 of `INPUT_FRAME` samples */
  add(frame) {
    if (this.full) return;
    for (const value of new Int16Array(frame)) {
      this.samples[this.filled] = value / 32768;
      this.filled += 1;
    }
  }

  /** Plays it, to the end or to `stop`. */
  async play() {
    const context = await openAudio();
    const buffer = new AudioBuffer({ length: this.samples.length, sampleRate: INPUT_RATE });
    buffer.copyToChannel(this.samples, 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    this.source = source;
    source.connect(context.destination);
    source.start();
    await new Promise((resolve) => source.addEventListener("ended", resolve, { once: true }));
    source.disconnect();
  }

  stop() {
    this.source?.stop();
  }
}
