// What a conversation needs of its line, whichever it is.

import type { Microphone } from "../audio/microphone.js";
import type { ClientMessage, ServerMessage } from "../protocol.d.ts";

/** Who is missing while a line waits: the learner's own connection, the partner who was there
 * before, or the partner who has not come yet. */
export type Missing = "line" | "partner" | "late";

/** Why a conversation cannot go on. */
export interface Failure {
  code: string;
  message: string;
  mend: string;
  /** The headline where `code` has no words of ours. */
  title?: string;
  /** Seconds to wait before another try. */
  wait?: number;
  /** The session that can be taken up again. */
  resume?: string;
}

export interface Line {
  send(message: ClientMessage): void;
  /** Takes the voice of this microphone from now on. */
  listen(microphone: Microphone): void;
  /** Stops the character's sound, or lets it go on. */
  hold(on: boolean): void;
  close(): void;
}

export interface Listener {
  /** What the server says, except of sound. */
  message(message: ServerMessage): void;
  /** How loud the learner (own) or the character is, 0..1. */
  level(level: number, own: boolean): void;
  /** The character was interrupted while it was heard. */
  cut(): void;
  /** Somebody is missing; `back` tells when they are there again, unless the line is closed. */
  away(missing: Missing): void;
  back(): void;
  /** So many seconds of the voice in all could not be sent. */
  lost(seconds: number): void;
  /** The server sent more sound than can wait. */
  overflow(): void;
  /** The line is gone: was it ever open, and can the session be taken up again? */
  closed(opened: boolean, resume?: string): void;
  failed(failure: Failure): void;
}

/** Opens the line. */
export type Opening = (listener: Listener) => Line;
