// The one AudioContext of the page. Browsers only let it sound when it is resumed within a click.

/** @type {AudioContext | undefined} */
let context;
/** @type {Promise<void> | undefined} */
let loaded;

/** Whether this browser can hear and speak at all. */
export const supported = () =>
  "AudioWorkletNode" in globalThis && "WebSocket" in globalThis && "AudioContext" in globalThis;

/**
 * The running context, with the processors loaded. Call it within a click.
 * @returns {Promise<AudioContext>}
 */
export async function openAudio() {
  context ??= new AudioContext({ latencyHint: "interactive" });
  const resumed = context.state === "running" ? undefined : context.resume();
  loaded ??= context.audioWorklet.addModule(new URL("./worklet.js", import.meta.url));
  try {
    await loaded;
  } catch (error) {
    loaded = undefined;
    throw error;
  }
  await resumed;
  return context;
}

/** Whether the context was allowed to run; a phone call or a new tab may have stopped it. */
export const audible = () => context?.state === "running";

/** A soft tone of half a second, to try the loudspeaker. */
export async function playTone() {
  const running = await openAudio();
  const now = running.currentTime;
  const tone = new OscillatorNode(running, { frequency: 523.25 });
  const gain = new GainNode(running, { gain: 0 });
  gain.gain.setValueAtTime(0, now);
  gain.gain.linearRampToValueAtTime(0.18, now + 0.03);
  gain.gain.setValueAtTime(0.18, now + 0.35);
  gain.gain.linearRampToValueAtTime(0, now + 0.6);
  tone.connect(gain).connect(running.destination);
  tone.start(now);
  tone.stop(now + 0.65);
  await new Promise((resolve) => tone.addEventListener("ended", resolve, { once: true }));
}
