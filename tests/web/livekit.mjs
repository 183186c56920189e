// Stands in for livekit-client where the page asks for it: a room over one WebSocket, that the
// test's server holds the other end of.

const names = [
  "DataReceived", "TrackSubscribed", "TrackUnsubscribed", "ParticipantConnected",
  "ParticipantDisconnected", "SignalReconnecting", "Reconnecting", "Reconnected", "Disconnected",
];
export const RoomEvent = Object.fromEntries(names.map((name) => [name, name]));
export const DisconnectReason = { DUPLICATE_IDENTITY: 2, SERVER_SHUTDOWN: 3 };
export const Track = { Kind: { Audio: "audio" }, Source: { Microphone: "microphone" } };

export function setLogLevel() {}

/** A tone, as the track of a coach. */
function voice() {
  const context = new AudioContext();
  const to = new MediaStreamAudioDestinationNode(context);
  const tone = new OscillatorNode(context, { frequency: 330 });
  tone.connect(new GainNode(context, { gain: 0.4 })).connect(to);
  tone.start();
  return to.stream.getAudioTracks()[0];
}

export class Room {
  state = "disconnected";
  remoteParticipants = new Map();
  listeners = [];

  constructor() {
    this.tracks = new Map();
    this.localParticipant = {
      publishData: async (bytes, { topic, reliable }) => {
        if (!reliable) throw new Error("a message may be lost");
        this.socket.send(JSON.stringify({ topic, data: new TextDecoder().decode(bytes) }));
      },
      publishTrack: async (track, { source }) => {
        this.socket.send(JSON.stringify({ track: track.kind, live: track.readyState === "live" }));
        const audioTrack = {
          replaceTrack: async (other) => this.socket.send(JSON.stringify({ replaced: other.kind })),
        };
        this.tracks.set(source, { audioTrack });
      },
      getTrackPublication: (source) => this.tracks.get(source),
    };
  }

  on(name, listener) {
    if (!(name in RoomEvent)) throw new Error(`no such event: ${name}`);
    this.listeners.push([name, listener]);
    return this;
  }

  emit(name, ...facts) {
    for (const [known, listener] of [...this.listeners]) if (known === name) listener(...facts);
  }

  removeAllListeners() {
    this.listeners = [];
  }

  registerTextStreamHandler(topic, handler) {
    this.streams = { topic, handler };
  }

  connect(url, token) {
    this.socket = new WebSocket(`${url}?token=${encodeURIComponent(token)}`);
    return new Promise((resolve, reject) => {
      this.socket.onclose = () => {
        reject(new Error("no room"));
        if (this.state === "disconnected") return;
        this.state = "disconnected";
        this.emit("Disconnected", this.reason);
      };
      this.socket.onmessage = ({ data }) => {
        const { event, from, text, reason, stream } = JSON.parse(data);
        const participant = { identity: from };
        if (event === "joined") {
          this.state = "connected";
          resolve();
        } else if (event === "data" && stream) {
          this.streams.handler({ readAll: async () => text }, participant);
        } else if (event === "data") {
          this.emit("DataReceived", new TextEncoder().encode(text), participant, 0, "eloquence");
        } else if (event === "track") {
          this.emit("TrackSubscribed", { kind: "audio", mediaStreamTrack: voice() }, {}, participant);
        } else if (event === "ParticipantConnected") {
          this.remoteParticipants.set(from, participant);
          this.emit(event, participant);
        } else if (event === "ParticipantDisconnected") {
          this.remoteParticipants.delete(from);
          this.emit(event, participant);
        } else if (event === "leave") {
          this.reason = reason;
          this.socket.close();
        } else {
          this.state = event === "Reconnected" ? "connected" : "reconnecting";
          this.emit(event);
        }
      };
    });
  }

  async disconnect() {
    this.socket?.close();
  }
}
