// How long the learner's voice was heard since the last turn ended.

/** A clock that runs while the voice is heard. Times are seconds, of any clock. */
export class Voiced {
  constructor() {
    this.sum = 0;
    /** @type {number | null} when the voice that is heard now began */
    this.since = null;
  }

  /** The voice begins (on) or ends. @param {boolean} on @param {number} time */
  turn(on, time) {
    this.sum = this.seconds(time);
    this.since = on ? time : null;
  }

  /** @param {number} time */
  seconds(time) {
    return this.sum + (this.since === null ? 0 : time - this.since);
  }

  /** The turn is over: what is heard from now on is of the next one. @param {number} time */
  clear(time) {
    this.sum = 0;
    if (this.since !== null) this.since = time;
  }
}
