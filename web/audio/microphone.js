// The learner's voice: 20 ms frames of PCM16 at 16 kHz, with their level.

import { openAudio, supported } from "./context.js";

/**
 * @typedef {object} Frame
 * @property {ArrayBuffer} samples PCM16, 320 samples
 * @property {number} level root mean square, 0..1
 * @property {number} peak 0..1
 * @property {number} clipped samples at full scale
 */

/** @typedef {"denied" | "denied_by_system" | "absent" | "busy" | "insecure" | "unsupported"} Obstacle */

/** Why the microphone cannot be had. */
export class MicrophoneError extends Error {
  /** @param {Obstacle} obstacle @param {unknown} [cause] */
  constructor(obstacle, cause) {
    super(`microphone: ${obstacle}`, { cause });
    this.obstacle = obstacle;
  }
}

/** @param {unknown} error @returns {Obstacle} */
export function obstacleOf(error) {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") {
    // Chromium says so in words when the operating system is the one that refuses.
    return /system/i.test(String(error)) ? "denied_by_system" : "denied";
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") return "absent";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "unsupported";
}

/**
 * The sound inputs, by name where permission was given. @returns {Promise<MediaDeviceInfo[]>}
 */
export async function inputs() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "audioinput" && device.deviceId !== "");
}

/** @param {string} device @returns {Promise<MediaStream>} */
async function stream(device) {
  /** @type {MediaTrackConstraints} */
  const wanted = {
    echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1,
  };
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: device ? { ...wanted, deviceId: { exact: device } } : wanted,
    });
  } catch (error) {
    // The device that was chosen last time may be gone: any other will do.
    if (device && obstacleOf(error) === "absent") return stream("");
    throw new MicrophoneError(obstacleOf(error), error);
  }
}

/** An open microphone. */
export class Microphone {
  /** @param {MediaStream} media @param {AudioContext} context */
  constructor(media, context) {
    this.track = media.getAudioTracks()[0];
    this.source = new MediaStreamAudioSourceNode(context, { mediaStream: media });
    this.node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 1 });
    /** @type {(frame: Frame) => void} */
    this.onframe = () => {};
    /** Called when the device goes away. */
    this.onlost = () => {};
    this.node.port.onmessage = ({ data }) => this.onframe(data);
    this.track.addEventListener("ended", () => this.onlost());
    this.source.connect(this.node);
    this.node.connect(context.destination); // it is silent, but only what is connected runs
  }

  get label() {
    return this.track.label;
  }

  get device() {
    return this.track.getSettings().deviceId ?? "";
  }

  /** Sends silence instead of the voice. */
  get muted() {
    return !this.track.enabled;
  }

  set muted(on) {
    this.track.enabled = !on;
  }

  close() {
    this.node.port.onmessage = null;
    this.source.disconnect();
    this.node.disconnect();
    this.track.stop();
  }
}

/**
 * Asks for the microphone; call it within a click.
 * @param {string} device the one to open, or "" for the browser's own choice
 * @returns {Promise<Microphone>}
 * @throws {MicrophoneError}
 */
export async function openMicrophone(device) {
  if (!globalThis.isSecureContext) throw new MicrophoneError("insecure");
  if (!supported() || !navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("unsupported");
  const running = openAudio(); // started within the click, awaited after the permission
  const media = await stream(device);
  return new Microphone(media, await running);
}
