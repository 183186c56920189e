// The line through a LiveKit room: sound as tracks, messages as data. It is never given up before
// the learner has had five minutes to come back, and the partner as long.

import { Problem } from "../api.js";

/** @typedef {import("../audio/microphone.js").Microphone} Microphone */
/** @typedef {import("../protocol.d.ts").ClientMessage} ClientMessage */
/** @typedef {import("../protocol.d.ts").ServerMessage} ServerMessage */
/** @typedef {import("./line.d.ts").Line} Line */
/** @typedef {import("./line.d.ts").Listener} Listener */
/** @typedef {import("./line.d.ts").Missing} Missing */
/** @typedef {typeof import("../vendor/livekit-client.esm.mjs")} LiveKit */
/** @typedef {import("../api.js").Ticket} Ticket */

const TOPIC = "eloquence";

// Milliseconds.
/** Between two signs that the learner is there, until they are answered: at first after something
 * has changed, and then. A coach that has only just come may not have heard the very first. */
const TICK = 300;
const ASK = 1000;
const AT_FIRST = 3000;
/** Without the partner: until that is said, and until it is given up, the first time. */
const LATE = 5000;
const NEVER = 20_000;
/** Between two questions to the server where the partner is, of whoever is alone in the room. */
const LOOK = 10_000;
/** How long somebody who was there may be missing. */
const PATIENCE = 300_000;
/** Between two attempts to join: at first, and at most. */
const SOON = 300;
const SELDOM = 5000;
/** For which the client mends the connection by itself, before the room is joined anew. */
const MENDING = 10_000;
const SIGNAL = 5000;
/** Between two looks at how loud the character is. */
const METER = 50;

/** What the learner did while nobody was there to hear of it, and still means. */
const KEPT = ["say", "set_patience", "end"];

/** Messages of the sound, which comes by itself. */
const SOUND = /^(segment|playback)_/;

/** The number of a coach among those of a session; 0 for anybody else. @param {string} identity */
const epochOf = (identity) => Number(/^coach-(\d+)$/.exec(identity)?.[1] ?? 0);

/** The client's library, fetched when a room is needed. @returns {Promise<LiveKit>} */
export async function library() {
  const livekit = await import("../vendor/livekit-client.esm.mjs");
  livekit.setLogLevel("warn");
  return livekit;
}

/** @implements {Line} */
export class Room {
  /**
   * @param {{context: AudioContext, library: () => Promise<LiveKit>, enter: () => Promise<Ticket>,
   *   again: (session: string, missing: number) => Promise<Ticket>, end: (session: string) => Promise<unknown>}} ways
   *   to get into the room: the first time, and after that; and to end the session from outside
   * @param {Listener} listener
   */
  constructor({ context, library, enter, again, end }, listener) {
    this.library = library;
    this.enter = enter;
    this.again = again;
    this.endFromOutside = end;
    this.listener = listener;
    this.over = false;
    this.session = "";
    /** Whether the partner was ever there. */
    this.met = false;
    /** Whether the partner knows that the learner is there. */
    this.answered = false;
    /** Since when somebody is missing. */
    this.since = performance.now();
    /** @type {Missing | null} who the listener was told is missing */
    this.missing = null;
    /** When something last changed between the two, and when the partner was last asked. */
    this.changed = this.asked = performance.now();
    /** When the server was last asked where the partner is. */
    this.looked = -LOOK;
    /** The newest coach that was seen. */
    this.epoch = 0;
    /** @type {ClientMessage[]} */
    this.waiting = [];
    /** @type {Microphone | null} */
    this.microphone = null;
    /** @type {InstanceType<LiveKit["Room"]> | null} */
    this.room = null;
    /** Wakes an attempt that waits. */
    this.hurry = () => {};
    this.voice = new Voice(context);
    this.asking = setInterval(() => this.ask(), TICK);
    this.metering = setInterval(() => listener.level(this.voice.level(), false), METER);
    this.offline = () => this.miss("line");
    this.online = () => {
      this.hurry();
      this.askAtOnce();
    };
    window.addEventListener("offline", this.offline);
    window.addEventListener("online", this.online);
    void this.join();
  }

  /** Joins the room, again and again until it works or has no sense any more.
   * @param {Ticket | null} [ticket] for the first attempt */
  async join(ticket = null) {
    for (let wait = SOON; !this.over; wait = Math.min(2 * wait, SELDOM)) {
      try {
        await this.attempt(ticket);
        return;
      } catch (error) {
        ticket = null;
        if (this.over) return;
        if (error instanceof Problem) {
          if (this.refused(error)) return;
          wait = Math.max(wait, 1000 * (error.wait ?? 0));
        }
        console.info("eloquence: the room cannot be joined yet", error);
      }
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, wait);
        this.hurry = () => {
          clearTimeout(timer);
          resolve(undefined);
        };
      });
    }
  }

  /** @param {Ticket | null} given */
  async attempt(given) {
    const [livekit, ticket] = await Promise.all([
      this.library(), given ?? (this.session ? this.again(this.session, 0) : this.enter()),
    ]);
    this.session = ticket.session;
    if (this.over) return;
    const room = new livekit.Room({
      stopLocalTrackOnUnpublish: false,
      // The library waits minutes; a new token, and a new start, are soon the better way.
      reconnectPolicy: {
        nextRetryDelayInMs: ({ elapsedMs, retryCount }) =>
          elapsedMs > MENDING ? null : Math.min(SOON * 2 ** retryCount, 2000),
      },
    });
    this.listenTo(room, livekit);
    try {
      await room.connect(ticket.url, ticket.token, {
        websocketTimeout: SIGNAL, peerConnectionTimeout: MENDING, maxRetries: 0,
      });
      if (this.microphone) await this.publish(room, this.microphone);
      if (this.over || room.state !== "connected") throw new Error("the room was left meanwhile");
      this.room = room;
    } catch (error) {
      room.removeAllListeners();
      await room.disconnect(false);
      throw error;
    }
    for (const participant of room.remoteParticipants.values()) this.seen(participant.identity);
    this.askAtOnce();
  }

  /** What the room says, while it is the one. @param {InstanceType<LiveKit["Room"]>} room @param {LiveKit} livekit */
  listenTo(room, { RoomEvent, DisconnectReason, Track }) {
    room.registerTextStreamHandler(TOPIC, async (reader, { identity }) => {
      this.receive(identity, await reader.readAll());
    });
    room
      .on(RoomEvent.DataReceived, (payload, participant, _kind, topic) => {
        if (topic === TOPIC) this.receive(participant?.identity ?? "", new TextDecoder().decode(payload));
      })
      .on(RoomEvent.TrackSubscribed, (track, _publication, { identity }) => {
        if (track.kind !== Track.Kind.Audio || !this.seen(identity)) return;
        this.voice.play(track.mediaStreamTrack);
      })
      .on(RoomEvent.TrackUnsubscribed, (track) => this.voice.stop(track.mediaStreamTrack))
      .on(RoomEvent.ParticipantConnected, ({ identity }) => {
        if (this.seen(identity)) this.askAtOnce();
      })
      .on(RoomEvent.ParticipantDisconnected, ({ identity }) => {
        if (epochOf(identity) === this.epoch && this.epoch > 0) this.miss("partner");
      })
      .on(RoomEvent.SignalReconnecting, () => this.miss("line"))
      .on(RoomEvent.Reconnecting, () => this.miss("line"))
      .on(RoomEvent.Reconnected, () => this.askAtOnce())
      .on(RoomEvent.Disconnected, (reason) => {
        if (room !== this.room) return; // an attempt that failed tells so itself
        this.room = null;
        room.removeAllListeners();
        this.voice.stop();
        if (reason === DisconnectReason.DUPLICATE_IDENTITY) {
          this.listener.failed({ code: "elsewhere", message: "", mend: "", resume: this.session });
          return;
        }
        this.miss("line");
        void this.join();
      });
  }

  /** A participant is there. Answers whether it is the coach of now. @param {string} identity */
  seen(identity) {
    const epoch = epochOf(identity);
    if (epoch > this.epoch) {
      // It knows nothing yet of a learner whom the one before knew.
      if (this.answered) this.miss("partner");
      this.epoch = epoch;
    }
    return epoch > 0 && epoch === this.epoch;
  }

  /** @param {string} identity of the sender @param {string} text */
  receive(identity, text) {
    if (this.over || !this.seen(identity)) return;
    /** @type {ServerMessage} */
    const message = JSON.parse(text);
    const met = message.type === "ready" && !this.answered;
    if (met) this.answered = this.met = true;
    if (message.type === "playback_clear") this.listener.cut();
    else if (!SOUND.test(message.type)) this.listener.message(message);
    if (met && !this.over) this.goOn();
  }

  /** The partner has answered. */
  goOn() {
    for (const message of this.waiting.splice(0)) this.publishMessage(message);
    if (!this.missing) return;
    this.missing = null;
    this.listener.back();
  }

  /** Somebody is missing. @param {Missing} missing */
  miss(missing) {
    if (this.over) return;
    if (this.answered) this.since = performance.now();
    this.answered = false;
    if (!this.met && missing !== "late") return; // nobody has been there to be missed
    if (this.missing === missing) return;
    this.missing = missing;
    this.listener.away(missing);
  }

  /** Tells the partner that the learner is there, until it answers. */
  ask() {
    if (this.answered || this.over) return;
    const gone = performance.now() - this.since;
    if (gone > (this.met ? PATIENCE : NEVER)) {
      this.giveUp();
      return;
    }
    if (!this.met && gone > LATE) this.miss("late");
    const now = performance.now();
    if (this.met && this.alone() && now - this.looked > LOOK) {
      this.looked = now;
      void this.look();
    }
    if (now - this.changed > AT_FIRST && now - this.asked < ASK) return;
    if (this.room?.state !== "connected" || !navigator.onLine) return;
    this.asked = now;
    this.publishMessage({ type: "joined" });
  }

  /** Whether the line has been well for a while, and the partner is not at its other end. */
  alone() {
    if (this.answered || this.over || this.room?.state !== "connected") return false;
    const there = [...this.room.remoteParticipants.values()].some((one) => epochOf(one.identity) > 0);
    return !there && performance.now() - Math.max(this.since, this.changed) > LATE;
  }

  /** Asks the server, and joins the room anew. A partner who ended the session while the line was
   * down could tell nobody; or waits in another room of that name, on a server that lost sight of
   * this one. */
  async look() {
    /** @type {Ticket} */
    let ticket;
    try {
      ticket = await this.again(this.session, this.epoch);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 410 && !this.answered && !this.over) this.refused(error);
      return;
    }
    if (!this.alone()) return;
    const { room } = this;
    this.room = null;
    room?.removeAllListeners();
    this.voice.stop();
    void room?.disconnect(false);
    await this.join(ticket);
  }

  /** Something has changed: the partner may be there now. */
  askAtOnce() {
    this.changed = performance.now();
    this.ask();
  }

  giveUp() {
    if (this.met) this.listener.closed(true, this.session);
    else {
      this.listener.failed({
        code: this.room ? "partner_absent" : "room", message: "", mend: "",
        resume: this.session || undefined,
      });
    }
  }

  /** A refusal that no other attempt will change: told, and true. @param {Problem} problem */
  refused({ status, code, title, detail, mend, wait, session }) {
    if (status === 410) {
      this.listener.message({ type: "ended", session: this.session, status: "complete", reason: "" });
      return true;
    }
    const lasting = status >= 400 && status < 500 && status !== 408 && status !== 429;
    if (!lasting && (this.session || status === 0)) return false;
    this.listener.failed({
      code, title, message: detail, mend, wait, resume: (session ?? this.session) || undefined,
    });
    return true;
  }

  /** @param {ClientMessage} message */
  send(message) {
    if (this.answered) this.publishMessage(message);
    else if (KEPT.includes(message.type)) this.waiting.push(message);
    if (message.type === "end" && !this.answered && this.session) void this.endAlone();
  }

  /** Nobody is there to be told that the learner is done: the server is. */
  async endAlone() {
    try {
      await this.endFromOutside(this.session);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status !== 410) return; // the farewell is waited for, and then done without
    }
    this.listener.message({ type: "ended", session: this.session, status: "complete", reason: "learner" });
  }

  /** @param {ClientMessage} message */
  publishMessage(message) {
    const sent = this.room?.localParticipant.publishData(
      new TextEncoder().encode(JSON.stringify(message)), { reliable: true, topic: TOPIC },
    );
    // What breaks the line is told by the room itself.
    sent?.catch((error) => console.info("eloquence: a message was not sent", error));
  }

  /** @param {Microphone} microphone */
  listen(microphone) {
    microphone.onframe = (frame) => this.listener.level(frame.level, true);
    this.microphone = microphone;
    if (this.room) void this.publish(this.room, microphone);
  }

  /** @param {InstanceType<LiveKit["Room"]>} room @param {Microphone} microphone */
  async publish(room, { track }) {
    const { Track } = await this.library();
    const published = room.localParticipant.getTrackPublication(Track.Source.Microphone)?.audioTrack;
    if (published) {
      await published.replaceTrack(track, { userProvidedTrack: true });
      return;
    }
    // Silence is sent like speech: the pauses are part of what is measured.
    await room.localParticipant.publishTrack(track, { source: Track.Source.Microphone, dtx: false, red: true });
  }

  /** @param {boolean} on */
  hold(on) {
    this.voice.hold(on);
  }

  close() {
    this.over = true;
    clearInterval(this.asking);
    clearInterval(this.metering);
    window.removeEventListener("offline", this.offline);
    window.removeEventListener("online", this.online);
    this.hurry();
    this.voice.close();
    const { room } = this;
    this.room = null;
    room?.removeAllListeners();
    void room?.disconnect(false);
  }
}

/** The character's voice, from its track to the loudspeaker. */
class Voice {
  /** @param {AudioContext} context */
  constructor(context) {
    this.context = context;
    this.gain = new GainNode(context);
    this.ear = new AnalyserNode(context, { fftSize: 1024 });
    this.block = new Float32Array(this.ear.fftSize);
    this.gain.connect(context.destination);
    this.gain.connect(this.ear);
    /** Chromium only lets a remote track sound in a graph when an element plays it, too. */
    this.element = new Audio();
    this.element.muted = this.element.autoplay = true;
    /** @type {MediaStreamTrack | null} */
    this.track = null;
    /** @type {MediaStreamAudioSourceNode | null} */
    this.source = null;
  }

  /** Plays this track instead of any other. @param {MediaStreamTrack} track */
  play(track) {
    this.stop();
    const mediaStream = new MediaStream([track]);
    this.track = track;
    this.element.srcObject = mediaStream;
    this.element.play().catch((error) => {
      if (!(error instanceof DOMException)) throw error; // replaced, or stopped, before it began
    });
    this.source = new MediaStreamAudioSourceNode(this.context, { mediaStream });
    this.source.connect(this.gain);
  }

  /** Stops that track, or whatever plays. @param {MediaStreamTrack | null} [track] */
  stop(track = this.track) {
    if (track !== this.track) return;
    this.source?.disconnect();
    this.element.srcObject = null;
    this.source = this.track = null;
  }

  /** @param {boolean} on */
  hold(on) {
    this.gain.gain.setTargetAtTime(on ? 0 : 1, this.context.currentTime, 0.005);
  }

  /** Root mean square of the last moment, 0..1. */
  level() {
    if (!this.source) return 0;
    this.ear.getFloatTimeDomainData(this.block);
    return Math.sqrt(this.block.reduce((sum, one) => sum + one * one, 0) / this.block.length);
  }

  close() {
    this.stop();
    this.gain.disconnect();
  }
}
