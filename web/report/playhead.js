// The recording, its controls, and everything that follows it as it plays.

import { h, s } from "../dom.js";

/** @typedef {import("./tongue.js").Tongue} Tongue */

const SPEEDS = [1, 1.25, 1.5, 0.75];
/** Seconds heard before a moment, so that it has a beginning. */
const LEAD = 0.3;

/** @param {string} path */
const drawn = (path) => s("svg", { class: "glyph", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, s("path", { d: path }));
const PLAY = "M7 4.5v15l12.5-7.5z";
const HOLD = "M6.5 4.5h4v15h-4zM13.5 4.5h4v15h-4z";

export class Playhead {
  /** @param {string | undefined} url none where the sound was not kept @param {number} duration
   * @param {Tongue} tongue @param {string} [name] what the recording is called */
  constructor(url, duration, tongue, name = tongue.t("player")) {
    this.tongue = tongue;
    this.duration = Math.max(duration, 1);
    /** @type {{node: Node, follow: (time: number) => void}[]} */
    this.followers = [];
    /** @type {(time: number) => void} where there is no sound, one is shown the place instead */
    this.show = () => {};
    this.until = Infinity;
    this.frame = 0;
    this.audio = url ? h("audio", { preload: "metadata", src: url }) : null;
    this.bar = this.audio ? this.controls(this.audio, name) : null;
  }

  /** Told the time as long as its node is on the page.
   * @param {Node} node @param {(time: number) => void} follow */
  follow(node, follow) {
    this.followers.push({ node, follow });
  }

  tell() {
    const time = this.audio?.currentTime ?? 0;
    if (time >= this.until) this.audio?.pause();
    this.followers = this.followers.filter(({ node }) => node.isConnected);
    for (const { follow } of this.followers) follow(time);
  }

  run() {
    this.tell();
    if (!this.audio || this.audio.paused) return;
    this.frame = requestAnimationFrame(() => this.run());
  }

  /** Plays from a moment, up to another if given; or shows it in the text.
   * @param {number} start @param {number} [end] */
  go(start, end = Infinity) {
    if (this.audio) {
      this.until = end + LEAD;
      this.audio.currentTime = Math.max(0, start);
      this.play();
    }
    this.show(start);
  }

  /** Plays a stretch with a little around it. @param {number} start @param {number} [end] */
  hear(start, end) {
    this.go(Math.max(0, start - LEAD), end);
  }

  play() {
    void this.audio?.play().catch(() => {}); // the player itself says what cannot be played
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.audio?.pause();
  }

  /** @param {HTMLAudioElement} audio @param {string} name */
  controls(audio, name) {
    const { tongue } = this;
    const button = h("button", { type: "button", class: "play", "data-testid": "play" });
    const time = h("span", { class: "player-time" });
    const place = h("input", {
      type: "range", min: 0, max: this.duration, step: 0.1, value: 0, "aria-label": tongue.t("player.place"), "data-testid": "place",
    });
    const speed = h("button", { type: "button", class: "speed" });
    const told = h("p", { class: "quiet-note", role: "alert" });

    const dress = () => {
      button.setAttribute("aria-label", tongue.t(audio.paused ? "player.play" : "player.pause"));
      button.replaceChildren(drawn(audio.paused ? PLAY : HOLD));
      speed.setAttribute("aria-label", tongue.t("player.speed", { n: tongue.number(audio.playbackRate, 2) }));
      speed.textContent = `${tongue.number(audio.playbackRate, 2)}×`;
    };
    const draw = () => {
      const now = audio.currentTime;
      place.value = String(now);
      const words = tongue.t("player.of", { time: tongue.clock(now), all: tongue.clock(this.duration) });
      if (time.textContent !== words) {
        time.textContent = words;
        place.setAttribute("aria-valuetext", words);
      }
    };
    button.addEventListener("click", () => {
      this.until = Infinity;
      if (audio.paused) this.play();
      else audio.pause();
    });
    speed.addEventListener("click", () => {
      audio.playbackRate = SPEEDS[(SPEEDS.indexOf(audio.playbackRate) + 1) % SPEEDS.length];
      dress();
    });
    place.addEventListener("input", () => {
      this.until = Infinity;
      audio.currentTime = Number(place.value);
    });
    audio.addEventListener("loadedmetadata", () => {
      if (!Number.isFinite(audio.duration)) return;
      this.duration = audio.duration;
      place.max = String(audio.duration);
      draw();
    });
    audio.addEventListener("play", () => {
      dress();
      this.run();
    });
    for (const event of ["pause", "seeked", "ended"]) {
      audio.addEventListener(event, () => {
        dress();
        draw();
        this.tell();
      });
    }
    audio.addEventListener("timeupdate", draw);
    audio.addEventListener("error", () => {
      told.textContent = tongue.t("player.failed");
    });
    dress();
    draw();
    return h("div", { class: "player", role: "group", "aria-label": name }, audio, button, place, time, speed, told);
  }
}

/** A button that goes to a moment. @param {Playhead} head @param {Tongue} tongue
 * @param {number} start @param {number | null} [end] where to stop @param {string} [about] */
export const jump = (head, tongue, start, end, about) =>
  h(
    "button",
    {
      class: "jump", type: "button", onclick: () => head.hear(start, end ?? undefined),
      "aria-label": `${tongue.t(head.audio ? "listen" : "see")} ${tongue.t("at", { time: tongue.clock(start) })}${about ? `, ${about}` : ""}`,
    },
    h("span", { class: head.audio ? "sign-play" : "sign-down", "aria-hidden": "true" }),
    tongue.clock(start),
  );
