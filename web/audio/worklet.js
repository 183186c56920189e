// The two processors of the audio thread: the microphone and the loudspeaker. One file, since not
// every browser lets a worklet import another module.

export const INPUT_RATE = 16_000;
export const INPUT_FRAME = 320;
export const OUTPUT_RATE = 24_000;
/** Seconds of the character's sound that may wait to be played. */
export const CAPACITY = 60;

/** Seconds over which sound comes and goes when it is cut, so that nothing clicks. */
const FADE = 0.008;
/** Seconds of sound that must wait before a segment starts, or goes on after it ran dry. */
const CUSHION = 0.04;
const REFILL = 0.1;
/** Samples at or above this are taken for clipped. */
const FULL_SCALE = 0.985;
/** Lobes of the windowed sinc on each side: 80 dB below the first alias, flat to 0.8 of the band. */
const LOBES = 24;
const KAISER = 7.86;

/** @param {number} a @param {number} b @returns {number} */
const divisor = (a, b) => (b === 0 ? a : divisor(b, a % b));

/** The modified Bessel function of order zero. @param {number} x */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-9; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/**
 * Filters between two sampling rates: one row of coefficients for each place an output sample can
 * have between two input samples, so that any two whole rates convert without drift.
 */
export class Polyphase {
  /** @param {number} from @param {number} to rates in hertz, whole */
  constructor(from, to) {
    const common = divisor(from, to);
    this.up = to / common;
    this.down = from / common;
    const cutoff = Math.min(1, to / from) * (to < from ? 0.9 : 0.95);
    this.half = Math.ceil(LOBES / Math.min(1, to / from));
    this.taps = 2 * this.half;
    this.table = new Float32Array(this.up * this.taps);
    for (let phase = 0; phase < this.up; phase += 1) this.fill(phase, cutoff);
    this.index = 0;
    this.phase = 0;
  }

  /** @param {number} phase @param {number} cutoff */
  fill(phase, cutoff) {
    const row = this.table.subarray(phase * this.taps, (phase + 1) * this.taps);
    let sum = 0;
    for (let tap = 0; tap < this.taps; tap += 1) {
      const x = tap - this.half + 1 - phase / this.up;
      const angle = Math.PI * cutoff * x;
      const window = Math.max(0, 1 - (x / this.half) ** 2);
      row[tap] = (x === 0 ? 1 : Math.sin(angle) / angle) * bessel(KAISER * Math.sqrt(window));
      sum += row[tap];
    }
    for (let tap = 0; tap < this.taps; tap += 1) row[tap] /= sum;
  }

  /** Puts the next output sample at the input sample `index`. @param {number} index */
  seek(index) {
    this.index = index;
    this.phase = 0;
  }

  /** Moves on by one output sample. */
  advance() {
    this.phase += this.down;
    this.index += Math.floor(this.phase / this.up);
    this.phase %= this.up;
  }
}

/** Turns blocks of any rate into PCM16 frames of `INPUT_FRAME` samples at `INPUT_RATE`. */
export class Framing {
  /** @param {number} rate @param {(frame: Int16Array<ArrayBuffer>) => void} emit */
  constructor(rate, emit) {
    this.filter = new Polyphase(rate, INPUT_RATE);
    this.emit = emit;
    this.line = new Float32Array(this.filter.taps + 8192);
    this.count = this.filter.half; // silence before the first sample
    this.filter.seek(this.filter.half);
    this.frame = new Int16Array(INPUT_FRAME);
    this.filled = 0;
  }

  /** @param {Float32Array} block mono samples, at most 8192 */
  push(block) {
    const { filter, line } = this;
    line.set(block, this.count);
    this.count += block.length;
    while (filter.index + filter.half < this.count) {
      const row = filter.phase * filter.taps;
      const first = filter.index - filter.half + 1;
      let value = 0;
      for (let tap = 0; tap < filter.taps; tap += 1) {
        value += filter.table[row + tap] * line[first + tap];
      }
      this.add(value);
      filter.advance();
    }
    const spent = Math.min(filter.index - filter.half + 1, this.count);
    line.copyWithin(0, spent, this.count);
    this.count -= spent;
    filter.index -= spent;
  }

  /** @param {number} value */
  add(value) {
    this.frame[this.filled] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
    this.filled += 1;
    if (this.filled < INPUT_FRAME) return;
    this.emit(this.frame);
    this.frame = new Int16Array(INPUT_FRAME);
    this.filled = 0;
  }
}

/**
 * @typedef {object} Segment
 * @property {number} number
 * @property {number} from where it begins in the ring, counted since the ring was made
 * @property {number} received samples
 * @property {boolean} whole nothing more of it will come
 * @property {boolean} started
 * @property {boolean} clearing
 */

/**
 * @typedef {{kind: "started", segment: number}
 *   | {kind: "progress" | "ended" | "cleared", segment: number, position: number}
 *   | {kind: "level", level: number}
 *   | {kind: "overflow", seconds: number}} PlaybackReport
 */

/**
 * The character's sound, waiting and played: a ring of samples at `OUTPUT_RATE`, cut in segments.
 * Positions are seconds of a segment's sound that were rendered.
 */
export class Playback {
  /** @param {number} rate of the loudspeaker @param {(report: PlaybackReport) => void} report */
  constructor(rate, report) {
    this.filter = new Polyphase(OUTPUT_RATE, rate);
    this.report = report;
    this.ring = new Int16Array(CAPACITY * OUTPUT_RATE);
    this.written = 0;
    /** @type {Segment[]} */
    this.segments = [];
    /** Where each segment that is over came to its end. @type {Map<number, number>} */
    this.over = new Map();
    this.paused = false;
    this.starved = false;
    this.gain = 1;
    this.step = 1 / (FADE * rate);
    this.tick = Math.round(rate / 4);
    this.sinceProgress = 0;
    this.meter = Math.round(rate / 20);
    this.sinceLevel = 0;
    this.energy = 0;
  }

  /** @param {number} number */
  open(number) {
    const known = this.segments.find((segment) => segment.number === number);
    if (known || this.over.has(number)) return known;
    const segment = {
      number, from: this.written, received: 0, whole: false, started: false, clearing: false,
    };
    this.segments.push(segment);
    if (this.segments.length === 1) this.filter.seek(segment.from);
    return segment;
  }

  /** @param {number} number @param {Int16Array} samples */
  add(number, samples) {
    const segment = this.open(number);
    if (!segment || segment.clearing || segment.whole) return;
    const oldest = this.segments[0].started ? this.filter.index - this.filter.half : this.segments[0].from;
    const room = this.ring.length - (this.written - oldest);
    const kept = samples.length > room ? samples.subarray(0, Math.max(0, room)) : samples;
    const at = this.written % this.ring.length;
    const head = Math.min(kept.length, this.ring.length - at);
    this.ring.set(kept.subarray(0, head), at);
    this.ring.set(kept.subarray(head), 0);
    this.written += kept.length;
    segment.received += kept.length;
    if (kept.length < samples.length) {
      this.report({ kind: "overflow", seconds: (samples.length - kept.length) / OUTPUT_RATE });
    }
  }

  /** Nothing more of the segment will come. @param {number} number */
  finish(number) {
    const segment = this.open(number);
    if (segment) segment.whole = true;
  }

  /** Drops the segment, and what came before it, and answers where it stopped. @param {number} number */
  clear(number) {
    this.paused = false;
    while (this.segments.length > 1 && this.segments[0].number < number) this.close("cleared");
    const segment = this.segments[0];
    if (segment?.number === number) {
      if (segment.started && this.gain > 0) segment.clearing = true;
      else this.close("cleared");
    } else {
      this.report({ kind: "cleared", segment: number, position: this.over.get(number) ?? 0 });
      if (!this.over.has(number)) this.remember(number, 0);
    }
  }

  /** @param {number} number @param {number} position */
  remember(number, position) {
    this.over.set(number, position);
    if (this.over.size > 64) this.over.delete(/** @type {number} */ (this.over.keys().next().value));
  }

  position() {
    const segment = this.segments[0];
    if (!segment?.started) return 0;
    const played = this.filter.index - segment.from + this.filter.phase / this.filter.up;
    return Math.min(played, segment.received) / OUTPUT_RATE;
  }

  /** Ends the first segment. @param {"ended" | "cleared"} kind */
  close(kind) {
    const segment = this.segments[0];
    const position = this.position();
    this.segments.shift();
    this.remember(segment.number, position);
    this.report({ kind, segment: segment.number, position });
    this.gain = 1;
    this.starved = false;
    this.sinceProgress = 0;
    if (this.segments.length > 0) this.filter.seek(this.segments[0].from);
    else this.report({ kind: "level", level: 0 });
  }

  /** The next sample for the loudspeaker. */
  next() {
    const segment = this.segments[0];
    if (!segment) return 0;
    const { filter } = this;
    if (!segment.started) {
      const enough = segment.received >= CUSHION * OUTPUT_RATE;
      if (this.paused || !(segment.whole || enough)) return 0;
      segment.started = true;
      this.report({ kind: "started", segment: segment.number });
    }
    const end = segment.from + segment.received;
    if (filter.index >= end && segment.whole) {
      this.close(segment.clearing ? "cleared" : "ended");
      return 0;
    }
    const ahead = end - filter.index;
    if (segment.whole || ahead > REFILL * OUTPUT_RATE) this.starved = false;
    else if (ahead < FADE * OUTPUT_RATE + filter.half) this.starved = true;
    const target = this.paused || segment.clearing || this.starved ? 0 : 1;
    this.gain = target > this.gain
      ? Math.min(1, this.gain + this.step)
      : Math.max(target, this.gain - this.step);
    if (this.gain === 0) {
      if (segment.clearing) this.close("cleared");
      return 0;
    }
    const value = this.sample(segment.from, end) * this.gain;
    filter.advance();
    this.energy += value * value;
    return value;
  }

  /** The filtered sample at the filter's place, of the sound between two places of the ring.
   * @param {number} from @param {number} end */
  sample(from, end) {
    const { filter, ring } = this;
    const row = filter.phase * filter.taps;
    const first = filter.index - filter.half + 1;
    const low = Math.max(0, from - first);
    const high = Math.min(filter.taps, end - first);
    let value = 0;
    for (let tap = low; tap < high; tap += 1) {
      value += filter.table[row + tap] * ring[(first + tap) % ring.length];
    }
    return value / 32768;
  }

  /** Fills a block for the loudspeaker and tells how far it came. @param {Float32Array} block */
  render(block) {
    for (let index = 0; index < block.length; index += 1) block[index] = this.next();
    const segment = this.segments[0];
    if (!segment?.started || this.gain === 0) return;
    this.sinceProgress += block.length;
    if (this.sinceProgress >= this.tick) {
      this.sinceProgress = 0;
      this.report({ kind: "progress", segment: segment.number, position: this.position() });
    }
    this.sinceLevel += block.length;
    if (this.sinceLevel >= this.meter) {
      this.report({ kind: "level", level: Math.sqrt(this.energy / this.sinceLevel) });
      this.sinceLevel = 0;
      this.energy = 0;
    }
  }
}

/** @param {() => void} register runs in the audio thread only, not where the classes are tested */
const inWorklet = (register) => {
  if ("AudioWorkletProcessor" in globalThis) register();
};

inWorklet(() => {
  registerProcessor("microphone", class extends AudioWorkletProcessor {
    constructor() {
      super();
      this.energy = 0;
      this.samples = 0;
      this.peak = 0;
      this.clipped = 0;
      this.framing = new Framing(sampleRate, (frame) => {
        this.port.postMessage(
          {
            samples: frame.buffer,
            level: Math.sqrt(this.energy / Math.max(1, this.samples)),
            peak: this.peak,
            clipped: this.clipped,
          },
          [frame.buffer],
        );
        this.energy = this.samples = this.peak = this.clipped = 0;
      });
    }

    /** @param {Float32Array[][]} inputs */
    process(inputs) {
      const block = inputs[0]?.[0];
      if (!block) return true; // no track is connected yet
      for (const sample of block) {
        const size = Math.abs(sample);
        this.energy += sample * sample;
        if (size > this.peak) this.peak = size;
        if (size >= FULL_SCALE) this.clipped += 1;
      }
      this.samples += block.length;
      this.framing.push(block);
      return true;
    }
  });

  registerProcessor("loudspeaker", class extends AudioWorkletProcessor {
    constructor() {
      super();
      const playback = new Playback(sampleRate, (report) => this.port.postMessage(report));
      this.playback = playback;
      this.port.onmessage = ({ data }) => {
        if (data.kind === "sound") playback.add(data.segment, new Int16Array(data.samples, 4));
        else if (data.kind === "open") playback.open(data.segment);
        else if (data.kind === "finish") playback.finish(data.segment);
        else if (data.kind === "clear") playback.clear(data.segment);
        else if (data.kind === "hold") playback.paused = data.on;
      };
    }

    /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
    process(_inputs, outputs) {
      const [first, ...others] = outputs[0];
      this.playback.render(first);
      for (const other of others) other.set(first);
      return true;
    }
  });
});
