// Draws a report. One file without imports, since the single-file report that the command line
// writes inlines it. See standalone.html.

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./schema.d.ts").ReportTurn} Turn */
/** @typedef {import("./schema.d.ts").DimensionScore} DimensionScore */
/** @typedef {import("./schema.d.ts").Event} Moment */
/** @typedef {import("./schema.d.ts").Curve} Curve */
/** @typedef {import("./schema.d.ts").Remark} Remark */
/** @typedef {import("./schema.d.ts").Part} Part */
/** @typedef {Node | string | number | false | null | undefined} Child */

const FR = {
  "strength": "Point fort",
  "priority": "À travailler en premier",
  "drill.open": "Faire l’exercice ({time})",
  "drill.title": "Exercice",
  "drill.success": "Réussi si",
  "drill.start": "Lancer le chronomètre",
  "drill.stop": "Arrêter",
  "drill.done": "C’est fini. Bravo.",
  "listen": "Écouter",
  "see": "Voir dans le texte",
  "at": "à {time}",
  "transcript": "Ce qui a été dit",
  "transcript.help": "Touchez un mot pour l’entendre. Au clavier, sur l’heure d’un tour : Entrée pour l’écouter, flèches pour aller de mot en mot.",
  "transcript.silent": "Le son n’a pas été gardé : seul le texte est là.",
  "transcript.ear": "Les mots n’ont pas été reconnus : ce bilan repose sur le son seul.",
  "player": "Enregistrement",
  "player.failed": "Le son ne peut pas être lu.",
  "you": "Vous",
  "turn": "{name}, à {time}",
  "turn.ear": "a parlé {n} s",
  "interrupted": "interrompu",
  "pause": "pause de {n} s",
  "pictures": "Le fil de la conversation",
  "timeline": "Qui parle, et quand",
  "timeline.sentence": "Vous avez parlé {own} s sur {all} s, en {turns} {turns|tour|tours}, avec {pauses} {pauses|pause|pauses} d’au moins un quart de seconde.",
  "timeline.kind": "Quoi",
  "timeline.from": "De",
  "timeline.to": "À",
  "timeline.speech": "parole",
  "timeline.pause": "pause",
  "timeline.legend.speech": "parole",
  "timeline.legend.pause": "pause",
  "timeline.legend.event": "moment marqué",
  "band": "zone visée",
  "table": "Voir en tableau",
  "table.time": "Moment",
  "table.who": "Qui",
  "scores": "Mesuré à l’oreille de la machine",
  "scores.help": "Chaque score est une fourchette : la vraie valeur s’y trouve quatre fois sur cinq.",
  "state.pass": "Atteint",
  "state.near": "Tout près",
  "state.not_yet": "Pas encore",
  "state.not_scored": "Non évalué",
  "range": "entre {low} et {high} sur 100",
  "range.mark": "seuil : {mark}",
  "coverage": "mesuré à {share}",
  "provisional": "Provisoire : moins de 45 secondes de parole, à lire comme une fourchette.",
  "why": "Pourquoi ?",
  "why.measure": "Mesure",
  "why.target": "zone visée : {band}",
  "why.weight": "poids : {share}",
  "why.score": "score {score} sur 100",
  "why.source": "Norme : {source}",
  "target.between": "{low} à {high}",
  "target.least": "au moins {low}",
  "target.most": "au plus {high}",
  "events": "Les moments qui ont compté",
  "effect": "sans lui : +{n}",
  "kind.mid_phrase_pause": "pause au milieu d’une phrase",
  "kind.long_pause": "longue pause",
  "kind.filled_pause": "hésitation",
  "kind.repetition": "répétition",
  "kind.fast_stretch": "passage rapide",
  "kind.slow_stretch": "passage lent",
  "kind.monotone_stretch": "passage monotone",
  "kind.trailing_off": "fin qui s’éteint",
  "kind.good_run": "bel élan",
  "kind.good_pause": "belle pause",
  "kind.lively_stretch": "passage vivant",
  "measures": "Tous les chiffres",
  "measures.value": "Valeur",
  "measures.error": "à {n} près",
  "missing": "Ce qui n’a pas pu être mesuré",
  "quality": "Qualité du son",
  "quality.snr": "Votre voix est {n} dB au-dessus du bruit.",
  "quality.clipping": "{share} du son sature.",
  "about": "Comment ce bilan a été fait",
  "about.stages": "Écoute : {stt}. Répartie : {llm}. Voix : {tts}.",
  "stage.none": "à l’oreille",
  "stage.script": "fil de l’exercice",
  "about.speech": "{seconds} s de votre parole, {words} {words|mot|mots}.",
  "about.speech.ear": "{seconds} s de votre parole.",
  "about.ai": "Vous avez parlé avec une IA. Les scores sont calculés, non donnés par elle.",
  "cut": "La conversation s’est arrêtée avant la fin ; le bilan porte sur ce qui avait été dit.",
  "end": "Fin de la conversation : {reason}.",
  "end.learner": "à votre demande",
  "end.script": "l’exercice est allé à son terme",
  "end.duration": "le temps prévu était écoulé",
  "end.idle": "le silence a duré trop longtemps",
  "end.page_closed": "la page a été fermée ou la connexion perdue",
  "end.process_died": "le serveur s’est éteint brusquement",
  "end.process_stopped": "le serveur a été arrêté",
  "end.protocol": "la page et le serveur ne se comprenaient plus",
  "end.engine": "une panne du programme",
  "end.stt": "la reconnaissance des mots ne répondait plus",
  "end.llm": "le modèle de langage ne répondait plus",
  "end.tts": "la voix de synthèse ne répondait plus",
  "end.storage": "le disque n’enregistrait plus",
  "end.recording": "enregistrement analysé en entier",
};

/** @type {typeof FR} */
const EN = {
  "strength": "Strength",
  "priority": "To work on first",
  "drill.open": "Do the drill ({time})",
  "drill.title": "Drill",
  "drill.success": "Done when",
  "drill.start": "Start the timer",
  "drill.stop": "Stop",
  "drill.done": "Time is up. Well done.",
  "listen": "Listen",
  "see": "See in the text",
  "at": "at {time}",
  "transcript": "What was said",
  "transcript.help": "Tap a word to hear it. By keyboard, on a turn’s time: Enter to listen, arrows to go from word to word.",
  "transcript.silent": "The sound was not kept: only the text is here.",
  "transcript.ear": "The words were not recognised: this report rests on the sound alone.",
  "player": "Recording",
  "player.failed": "The sound cannot be played.",
  "you": "You",
  "turn": "{name}, at {time}",
  "turn.ear": "spoke for {n} s",
  "interrupted": "interrupted",
  "pause": "pause of {n} s",
  "pictures": "The thread of the conversation",
  "timeline": "Who speaks, and when",
  "timeline.sentence": "You spoke for {own} s out of {all} s, in {turns} {turns|turn|turns}, with {pauses} {pauses|pause|pauses} of a quarter of a second or more.",
  "timeline.kind": "What",
  "timeline.from": "From",
  "timeline.to": "To",
  "timeline.speech": "speech",
  "timeline.pause": "pause",
  "timeline.legend.speech": "speech",
  "timeline.legend.pause": "pause",
  "timeline.legend.event": "marked moment",
  "band": "target zone",
  "table": "See as a table",
  "table.time": "Moment",
  "table.who": "Who",
  "scores": "Measured by the machine’s ear",
  "scores.help": "Each score is a range: the true value lies in it four times out of five.",
  "state.pass": "Reached",
  "state.near": "Very close",
  "state.not_yet": "Not yet",
  "state.not_scored": "Not scored",
  "range": "between {low} and {high} out of 100",
  "range.mark": "mark: {mark}",
  "coverage": "{share} measured",
  "provisional": "Provisional: less than 45 seconds of speech, to be read as a range.",
  "why": "Why?",
  "why.measure": "Measure",
  "why.target": "target zone: {band}",
  "why.weight": "weight: {share}",
  "why.score": "score {score} out of 100",
  "why.source": "Norm: {source}",
  "target.between": "{low} to {high}",
  "target.least": "at least {low}",
  "target.most": "at most {high}",
  "events": "The moments that counted",
  "effect": "without it: +{n}",
  "kind.mid_phrase_pause": "pause in mid-phrase",
  "kind.long_pause": "long pause",
  "kind.filled_pause": "hesitation",
  "kind.repetition": "repetition",
  "kind.fast_stretch": "fast stretch",
  "kind.slow_stretch": "slow stretch",
  "kind.monotone_stretch": "monotone stretch",
  "kind.trailing_off": "fading end",
  "kind.good_run": "fine run",
  "kind.good_pause": "well-placed pause",
  "kind.lively_stretch": "lively stretch",
  "measures": "All figures",
  "measures.value": "Value",
  "measures.error": "give or take {n}",
  "missing": "What could not be measured",
  "quality": "Sound quality",
  "quality.snr": "Your voice is {n} dB above the noise.",
  "quality.clipping": "{share} of the sound is clipped.",
  "about": "How this report was made",
  "about.stages": "Listening: {stt}. Replies: {llm}. Voice: {tts}.",
  "stage.none": "by ear",
  "stage.script": "the exercise’s thread",
  "about.speech": "{seconds} s of your speech, {words} {words|word|words}.",
  "about.speech.ear": "{seconds} s of your speech.",
  "about.ai": "You talked with an AI. The scores are computed, not given by it.",
  "cut": "The conversation stopped before its end; the report covers what had been said.",
  "end": "The conversation ended: {reason}.",
  "end.learner": "at your request",
  "end.script": "the exercise reached its end",
  "end.duration": "the planned time was up",
  "end.idle": "the silence lasted too long",
  "end.page_closed": "the page was closed or the connection lost",
  "end.process_died": "the server went down suddenly",
  "end.process_stopped": "the server was stopped",
  "end.protocol": "the page and the server no longer understood each other",
  "end.engine": "the program broke down",
  "end.stt": "word recognition no longer answered",
  "end.llm": "the language model no longer answered",
  "end.tts": "the synthetic voice no longer answered",
  "end.storage": "the disk no longer stored anything",
  "end.recording": "whole recording analysed",
};

/** Moments that are good news. */
const GOOD = new Set(["good_run", "good_pause", "lively_stretch"]);
/** Shown in the transcript when they last so long, in seconds. */
const LONG = { mid_phrase: 0.4, boundary: 0.8, unknown: 0.6 };
const MARKS = { pass: "✓", near: "≈", not_yet: "→", not_scored: "–" };

/** @param {Element} element @param {Record<string, unknown>} attributes @param {Child[]} children */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child === false || child === null || child === undefined || child === "") continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, unknown>} [attributes] @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag @param {Record<string, unknown>} [attributes] @param {...Child} children
 * @returns {SVGElementTagNameMap[K]}
 */
function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, attributes, children);
  return element;
}

/** Words and figures in the reader's language. */
class Tongue {
  /** @param {string} code */
  constructor(code) {
    this.code = code === "en" ? "en" : "fr";
    this.messages = this.code === "en" ? EN : FR;
    this.plural = new Intl.PluralRules(this.code);
  }

  /**
   * The message of that key. `{n}` stands for a place, `{n|word|words}` for the form that agrees
   * with the number in place n.
   * @param {keyof typeof FR} key @param {Record<string, string | number>} [places]
   */
  t(key, places = {}) {
    return this.messages[key].replace(
      /\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g,
      (/** @type {string} */ whole, /** @type {string} */ name, /** @type {string | undefined} */ one, /** @type {string} */ many) => {
        const value = places[name] ?? whole;
        if (one !== undefined) return this.plural.select(Number(value)) === "one" ? one : many;
        return typeof value === "number" ? this.number(value) : value;
      },
    );
  }

  /** @param {number} value @param {number} [digits] */
  number(value, digits = 1) {
    return new Intl.NumberFormat(this.code, { maximumFractionDigits: digits }).format(value);
  }

  /** @param {number} value 0..1 */
  share(value) {
    return new Intl.NumberFormat(this.code, { style: "percent", maximumFractionDigits: 1 }).format(value);
  }

  /** @param {number} value 0..1 */
  score(value) {
    return this.number(100 * value, 0);
  }

  /** @param {number | null} value @param {string} unit */
  quantity(value, unit) {
    if (value === null) return "–";
    const figure = this.number(value, Math.abs(value) < 1 ? 2 : 1);
    return unit ? `${figure}\u00a0${unit}` : figure;
  }

  /** @param {number} seconds */
  clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  }

  /** @param {number} seconds POSIX time */
  date(seconds) {
    return new Intl.DateTimeFormat(this.code, { dateStyle: "long", timeStyle: "short" }).format(seconds * 1000);
  }

  /** @param {string} reason a session's */
  end(reason) {
    const key = `end.${reason}`;
    return key in FR ? this.t(/** @type {keyof typeof FR} */ (key)) : "";
  }

  /** A provider as it is called. @param {string} name */
  stage(name) {
    const key = `stage.${name}`;
    return key in FR ? this.t(/** @type {keyof typeof FR} */ (key)) : name;
  }

  /** @param {string} kind */
  kind(kind) {
    const key = `kind.${kind}`;
    return key in FR ? this.t(/** @type {keyof typeof FR} */ (key)) : kind.replaceAll("_", " ");
  }
}

/** Why a session ended, in words; nothing for a reason of which there are none.
 * @param {string} reason @param {string} language */
export const endWords = (reason, language) => new Tongue(language).end(reason);

/** The recording, and everything that follows it as it plays. */
class Playhead {
  /** @param {string | undefined} url @param {Tongue} tongue */
  constructor(url, tongue) {
    /** @type {((time: number) => void)[]} */
    this.followers = [];
    /** @type {(time: number) => void} where there is no sound, one is shown the place instead */
    this.show = () => {};
    this.audio = url ? h("audio", { controls: true, preload: "metadata", src: url, "aria-label": tongue.t("player") }) : null;
    this.frame = 0;
    this.audio?.addEventListener("play", () => this.follow());
    for (const event of ["pause", "seeked", "ended"]) {
      this.audio?.addEventListener(event, () => this.tell());
    }
  }

  tell() {
    for (const follower of this.followers) follower(this.audio?.currentTime ?? 0);
  }

  follow() {
    this.tell();
    if (!this.audio || this.audio.paused) return;
    this.frame = requestAnimationFrame(() => this.follow());
  }

  /** Plays from a moment, or shows it in the text. @param {number} time */
  go(time) {
    if (this.audio) {
      this.audio.currentTime = Math.max(0, time);
      void this.audio.play().catch(() => {}); // the player itself shows what cannot be played
    }
    this.show(time);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.audio?.pause();
  }
}

/** A button that goes to a moment. @param {Playhead} head @param {Tongue} tongue
 * @param {number} start @param {string} [about] */
const jump = (head, tongue, start, about) =>
  h(
    "button",
    {
      class: "jump", type: "button", onclick: () => head.go(Math.max(0, start - 0.3)),
      "aria-label": `${tongue.t(head.audio ? "listen" : "see")} ${tongue.t("at", { time: tongue.clock(start) })}${about ? `, ${about}` : ""}`,
    },
    h("span", { class: head.audio ? "sign-play" : "sign-down", "aria-hidden": "true" }),
    tongue.clock(start),
  );

/** @param {string} label @param {Remark} remark @param {string} kind @param {Playhead} head
 * @param {Tongue} tongue @param {...Child} more */
const remarkCard = (label, remark, kind, head, tongue, ...more) =>
  h(
    "section",
    { class: `remark ${kind}`, "data-testid": kind },
    h("p", { class: "eyebrow" }, label),
    h("h2", {}, remark.title),
    h("p", {}, remark.text),
    remark.start !== null && h("p", {}, jump(head, tongue, remark.start, remark.title)),
    ...more,
  );

/** The drill, with its timer. @param {import("./schema.d.ts").Drill} drill @param {Tongue} tongue */
function drillCard(drill, tongue) {
  const time = h("output", { class: "drill-time", "aria-live": "off" }, tongue.clock(drill.seconds));
  const done = h("p", { role: "status" });
  const start = h("button", { type: "button", class: "primary" }, tongue.t("drill.start"));
  let timer = 0;
  let left = drill.seconds;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    start.textContent = tongue.t("drill.start");
  };
  start.addEventListener("click", () => {
    if (timer) {
      stop();
      return;
    }
    left = drill.seconds;
    done.textContent = "";
    time.textContent = tongue.clock(left);
    start.textContent = tongue.t("drill.stop");
    timer = setInterval(() => {
      left -= 1;
      time.textContent = tongue.clock(left);
      if (left > 0) return;
      stop();
      done.textContent = tongue.t("drill.done");
    }, 1000);
  });
  const panel = h(
    "div",
    { class: "drill", id: "drill", hidden: true, "data-testid": "drill" },
    h("h3", {}, drill.title),
    h("p", {}, drill.instructions),
    h("p", {}, h("strong", {}, `${tongue.t("drill.success")}${tongue.code === "fr" ? "\u00a0: " : ": "}`), drill.success),
    h("p", { class: "drill-run" }, time, start),
    done,
  );
  const open = h(
    "button",
    {
      type: "button", class: "primary", "aria-expanded": "false", "aria-controls": "drill",
      "data-testid": "drill-open",
      onclick: () => {
        panel.hidden = !panel.hidden;
        open.setAttribute("aria-expanded", String(!panel.hidden));
      },
    },
    tongue.t("drill.open", { time: tongue.clock(drill.seconds) }),
  );
  return { node: h("div", {}, open, panel), stop };
}

/** @param {Report} report @param {Tongue} tongue */
const ownName = (report, tongue) =>
  report.turns.find((turn) => turn.speaker === "learner")?.name || tongue.t("you");

/** The character as the learner knows it, by name. @param {Report} report */
const otherName = (report) => report.turns.find((turn) => turn.speaker === "character")?.name ?? "";

/** Every marked moment once, though it may count in several dimensions. @param {Report} report */
const momentsOf = (report) => [
  ...new Map(
    report.dimensions.flatMap((dimension) => dimension.events).map((one) => [`${one.kind} ${one.start}`, one]),
  ).values(),
];

/** What was said, word by word, with its marks. @param {Report} report @param {Playhead} head
 * @param {Tongue} tongue */
function transcript(report, head, tongue) {
  const moments = momentsOf(report);
  /** @type {{start: number, end: number, node: HTMLElement}[]} */
  const timed = [];
  const list = h("ol", { class: "turns" }, ...report.turns.map((turn) => turnItem(turn, moments, timed, head, tongue)));
  /** @type {HTMLElement | undefined} */
  let now;

  /** The last thing that began before a moment. @param {number} time */
  function at(time) {
    let low = 0;
    let high = timed.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (timed[middle].start <= time) low = middle + 1;
      else high = middle;
    }
    return timed[low - 1];
  }

  head.followers.push((time) => {
    const word = at(time);
    const node = word && time < word.end + 0.15 ? word.node : undefined;
    if (node === now) return;
    now?.classList.remove("now");
    node?.classList.add("now");
    now = node;
  });
  head.show = (time) => {
    const place = at(time + 0.35)?.node ?? timed[0]?.node;
    if (!place) return;
    if (!head.audio) {
      place.classList.add("found");
      setTimeout(() => place.classList.remove("found"), 2500);
      place.scrollIntoView({ block: "center" });
    }
  };
  const worded = report.turns.some((turn) => turn.words?.length);
  const note = head.audio ? worded && tongue.t("transcript.help") : tongue.t("transcript.silent");
  return h(
    "section",
    { class: "transcript", "data-testid": "transcript" },
    h("h2", {}, tongue.t("transcript")),
    head.audio && h("div", { class: "player" }, head.audio),
    !report.quality.words_heard && h("p", { class: "quiet-note" }, tongue.t("transcript.ear")),
    note && h("p", { class: "quiet-note" }, note),
    list,
  );
}

/** @param {Turn} turn @param {Moment[]} moments
 * @param {{start: number, end: number, node: HTMLElement}[]} timed @param {Playhead} head
 * @param {Tongue} tongue */
function turnItem(turn, moments, timed, head, tongue) {
  const own = turn.speaker === "learner";
  const name = own && !turn.name ? tongue.t("you") : turn.name;
  const text = h("p", { class: "said" });
  const words = turn.words ?? [];
  let at = -1;
  const time = h(
    head.audio ? "button" : "span",
    {
      class: "turn-time", "data-testid": "turn-time", type: head.audio && "button",
      "aria-label": head.audio && `${tongue.t("listen")}${tongue.code === "fr" ? "\u00a0: " : ": "}${tongue.t("turn", { name, time: tongue.clock(turn.start) })}`,
      onclick: () => head.go(turn.start),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step || words.length === 0) return;
        event.preventDefault();
        at = Math.max(0, Math.min(words.length - 1, at + step));
        head.go(words[at].start);
      },
    },
    tongue.clock(turn.start),
  );

  if (words.length > 0) said(text, turn, own ? moments : [], timed, head, tongue);
  else {
    const spoken = turn.text || tongue.t("turn.ear", { n: tongue.number(turn.end - turn.start) });
    const node = h("span", { class: turn.text ? "word" : "word quiet-note", onclick: () => head.go(turn.start) }, spoken);
    timed.push({ start: turn.start, end: turn.end, node });
    text.append(node);
    if (own) {
      for (const pause of turn.pauses.filter((one) => one.end - one.start >= LONG[one.kind])) {
        text.append(" ", pauseMark(pause, tongue));
      }
    }
  }
  if (turn.interrupted) text.append(" ", h("span", { class: "mark cut" }, `— ${tongue.t("interrupted")}`));
  return h("li", { class: `turn ${turn.speaker}` }, h("p", { class: "who" }, h("strong", {}, name), time), text);
}

/** @param {import("./schema.d.ts").Pause} pause @param {Tongue} tongue */
const pauseMark = (pause, tongue) =>
  h(
    "span",
    { class: `mark pause ${pause.kind}`, title: tongue.t("pause", { n: tongue.number(pause.end - pause.start) }) },
    `${tongue.number(pause.end - pause.start)}\u00a0s`,
  );

/** The words of a turn, its pauses and its moments.
 * @param {HTMLElement} text @param {Turn} turn @param {Moment[]} moments
 * @param {{start: number, end: number, node: HTMLElement}[]} timed @param {Playhead} head
 * @param {Tongue} tongue */
function said(text, turn, moments, timed, head, tongue) {
  const words = turn.words ?? [];
  const mine = moments.filter((moment) => moment.end > turn.start && moment.start < turn.end);
  /** @param {number} start @param {number} end */
  const pauses = (start, end) =>
    turn.pauses.filter((one) => one.start < end && one.end > start && one.end - one.start >= LONG[one.kind]);
  words.forEach((word, index) => {
    const next = words[index + 1];
    const middle = (word.start + word.end) / 2;
    const around = mine.filter((one) => one.start <= middle && middle <= one.end);
    const node = h(
      "span",
      {
        class: ["word", ...around.map((one) => (GOOD.has(one.kind) ? "good" : "weak"))].join(" "),
        onclick: () => head.go(word.start),
      },
      word.text,
    );
    timed.push({ start: word.start, end: word.end, node });
    text.append(node);
    for (const one of around) {
      const last = !next || (next.start + next.end) / 2 > one.end;
      if (last) text.append("\u00a0", h("span", { class: `mark ${GOOD.has(one.kind) ? "good" : "weak"}` }, tongue.kind(one.kind)));
    }
    text.append(" ");
    if (next && turn.speaker === "learner") {
      for (const pause of pauses(word.end, next.start)) text.append(pauseMark(pause, tongue), " ");
    }
  });
}

/** Seconds between two marks of a time axis, so that few enough fit.
 * @param {number} duration @param {number} width */
function stepOf(duration, width) {
  const most = Math.max(2, Math.floor(width / 70));
  return [5, 10, 15, 30, 60, 120, 300, 600, 1200].find((step) => duration / step <= most) ?? 3600;
}

const LEFT = 38;
const RIGHT = 8;
const AXIS = 22;

/**
 * A picture over time: redrawn at the width it is given, with the playhead across it.
 * @param {{duration: number, height: number, label: string, head: Playhead, tongue: Tongue,
 *   draw: (place: {x: (time: number) => number, width: number, height: number}) => Node[]}} parts
 */
function picture({ duration, height, label, head, tongue, draw }) {
  const holder = h("div", { class: "picture" });
  const line = s("line", { class: "playhead", y1: 0, y2: height, visibility: "hidden" });
  /** @type {(time: number) => number} */
  let x = () => 0;
  let drawn = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.max(240, Math.floor(entry.contentRect.width));
    if (width === drawn) return;
    drawn = width;
    x = (time) => LEFT + (Math.max(0, Math.min(time, duration)) / duration) * (width - LEFT - RIGHT);
    const step = stepOf(duration, width);
    const ticks = [];
    for (let time = 0; time <= duration; time += step) {
      ticks.push(
        s("line", { class: "tick", x1: x(time), x2: x(time), y1: 0, y2: height }),
        s("text", { class: "axis", x: x(time), y: height + 16, "text-anchor": "middle" }, tongue.clock(time)),
      );
    }
    holder.replaceChildren(
      s(
        "svg",
        { viewBox: `0 0 ${width} ${height + AXIS}`, width, height: height + AXIS, role: "img", "aria-label": label,
          onclick: (/** @type {MouseEvent} */ event) => {
            const box = holder.getBoundingClientRect();
            head.go(((event.clientX - box.left - LEFT) / (width - LEFT - RIGHT)) * duration);
          } },
        ...ticks, ...draw({ x, width, height }), line,
      ),
    );
  }).observe(holder);
  head.followers.push((time) => {
    line.setAttribute("visibility", "visible");
    line.setAttribute("x1", String(x(time)));
    line.setAttribute("x2", String(x(time)));
  });
  return holder;
}

/** A table, made when it is first opened. @param {string} label @param {string[]} heads
 * @param {() => string[][]} rows @param {Tongue} tongue */
function table(label, heads, rows, tongue) {
  const details = h("details", { class: "as-table" }, h("summary", {}, tongue.t("table"), h("span", { class: "unseen" }, ` (${label})`)));
  details.addEventListener("toggle", () => {
    if (details.querySelector("table")) return;
    details.append(tableOf(label, heads, rows()));
  });
  return details;
}

/** @param {string} label @param {string[]} heads @param {(string | Node)[][]} rows */
const tableOf = (label, heads, rows) =>
  h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, label),
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((cell) => h("td", {}, cell))))),
    ),
  );

/** Turns, pauses and marked moments. @param {Report} report @param {Playhead} head @param {Tongue} tongue */
function timeline(report, head, tongue) {
  const own = report.turns.filter((turn) => turn.speaker === "learner");
  const pauses = own.flatMap((turn) => turn.pauses);
  const moments = momentsOf(report);
  const spoken = own.reduce((sum, turn) => sum + turn.end - turn.start, 0);
  const sentence = tongue.t("timeline.sentence", {
    own: tongue.number(spoken, 0), all: tongue.number(report.duration, 0), turns: own.length, pauses: pauses.length,
  });
  const duration = Math.max(report.duration, 1);
  return h(
    "figure",
    { "data-testid": "timeline" },
    h("figcaption", {}, h("h3", {}, tongue.t("timeline")), h("p", {}, sentence)),
    h(
      "ul",
      { class: "legend", "aria-hidden": "true" },
      otherName(report) && h("li", {}, h("span", { class: "key other" }), otherName(report)),
      h("li", {}, h("span", { class: "key own" }), ownName(report, tongue)),
      h("li", {}, h("span", { class: "key gap" }), tongue.t("timeline.legend.pause")),
      moments.length > 0 && h("li", {}, h("span", { class: "key event" }), tongue.t("timeline.legend.event")),
    ),
    picture({
      duration, height: 84, label: sentence, head, tongue,
      draw: ({ x }) => [
        ...report.turns.flatMap((turn) => {
          const mine = turn.speaker === "learner";
          const stretches = turn.speech.length > 0 ? turn.speech : [/** @type {[number, number]} */ ([turn.start, turn.end])];
          return stretches.map(([start, end]) =>
            s("rect", { class: mine ? "own" : "other", x: x(start), width: Math.max(1.5, x(end) - x(start)), y: mine ? 34 : 4, height: 22, rx: 3 }));
        }),
        ...pauses.map((pause) =>
          s("rect", { class: `gap ${pause.kind}`, x: x(pause.start), width: Math.max(1, x(pause.end) - x(pause.start)), y: 41, height: 8 })),
        ...moments.map((moment) => {
          const at = x((moment.start + moment.end) / 2);
          return GOOD.has(moment.kind)
            ? s("circle", { class: "event good", cx: at, cy: 70, r: 5 })
            : s("path", { class: "event", d: `M${at - 5.5} 75h11l-5.5-10z` });
        }),
      ],
    }),
    table(tongue.t("timeline"), [tongue.t("table.who"), tongue.t("timeline.kind"), tongue.t("timeline.from"), tongue.t("timeline.to")], () =>
      report.turns.flatMap((turn) => {
        const name = turn.name || tongue.t("you");
        return [
          [name, tongue.t("timeline.speech"), tongue.clock(turn.start), tongue.clock(turn.end)],
          ...turn.pauses.map((pause) => [
            name, tongue.t("pause", { n: tongue.number(pause.end - pause.start) }), tongue.clock(pause.start), tongue.clock(pause.end),
          ]),
        ];
      }), tongue),
  );
}

/** The curve in as many pieces as its gaps leave. @param {Curve} curve */
function pieces(curve) {
  /** @type {[number, number][][]} */
  const found = [[]];
  curve.values.forEach((value, index) => {
    if (value === null) found.push([]);
    else found[found.length - 1].push([curve.times[index], value]);
  });
  return found.filter((piece) => piece.length > 0);
}

/** Means of a curve over equal stretches of time, few enough to read. @param {Curve} curve
 * @param {number} duration @returns {{from: number, to: number, mean: number}[]} */
function means(curve, duration) {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300].find((one) => duration / one <= 40) ?? 600;
  /** @type {Map<number, number[]>} */
  const bins = new Map();
  curve.values.forEach((value, index) => {
    if (value === null) return;
    const bin = Math.floor(curve.times[index] / step);
    bins.set(bin, [...(bins.get(bin) ?? []), value]);
  });
  return [...bins].map(([bin, values]) => ({
    from: bin * step, to: (bin + 1) * step, mean: values.reduce((a, b) => a + b, 0) / values.length,
  }));
}

/** A line over time with its target zone. @param {Curve} curve @param {string} kind
 * @param {Report} report @param {Playhead} head @param {Tongue} tongue */
function curveFigure(curve, kind, report, head, tongue) {
  const lines = pieces(curve);
  const values = lines.flat().map(([, value]) => value);
  if (values.length === 0) {
    return curve.sentence ? h("figure", { "data-testid": kind }, h("figcaption", {}, h("h3", {}, curve.label), h("p", {}, curve.sentence))) : null;
  }
  // A few stray values would flatten all the others: they are drawn at the edge.
  const sorted = [...values].sort((a, b) => a - b);
  const stray = values.length > 60 ? Math.floor(values.length * 0.02) : 0;
  const low = Math.min(sorted[stray], ...(curve.band ?? []));
  const high = Math.max(sorted[sorted.length - 1 - stray], ...(curve.band ?? []));
  const margin = (high - low) * 0.12 || 1;
  const duration = Math.max(report.duration, 1);
  const unit = curve.unit;
  return h(
    "figure",
    { "data-testid": kind },
    h("figcaption", {}, h("h3", {}, curve.label, h("span", { class: "unit" }, unit)), curve.sentence && h("p", {}, curve.sentence)),
    picture({
      duration, height: 120, label: `${curve.label}. ${curve.sentence}`, head, tongue,
      draw: ({ x, width, height }) => {
        /** @param {number} value */
        const y = (value) => {
          const share = (value - low + margin) / (high - low + 2 * margin);
          return height * (1 - Math.max(0, Math.min(1, share)));
        };
        /** @param {number} value */
        const mark = (value) => s("text", { class: "axis", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, tongue.number(value));
        const band = curve.band;
        return [
          ...(band
            ? [
                s("rect", { class: "band", x: LEFT, width: width - LEFT - RIGHT, y: y(band[1]), height: Math.max(1, y(band[0]) - y(band[1])) }),
                s("text", { class: "axis band-name", x: width - RIGHT - 4, y: y(band[1]) + 14, "text-anchor": "end" }, tongue.t("band")),
                mark(band[0]), mark(band[1]),
              ]
            : [mark(low), mark(high)]),
          ...lines.map((piece) =>
            piece.length === 1
              ? s("circle", { class: `dot ${kind}`, cx: x(piece[0][0]), cy: y(piece[0][1]), r: 2 })
              : s("polyline", { class: `curve ${kind}`, points: piece.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join(" ") })),
        ];
      },
    }),
    table(curve.label, [tongue.t("table.time"), `${curve.label} (${unit})`], () =>
      means(curve, duration).map(({ from, to, mean }) => [`${tongue.clock(from)} – ${tongue.clock(to)}`, tongue.number(mean)]), tongue),
  );
}

/** What a part aims at, in words. @param {Part} part @param {Tongue} tongue */
function target(part, tongue) {
  const [, , low, high] = part.band;
  if (low !== null && high !== null) return tongue.t("target.between", { low: tongue.number(low), high: tongue.quantity(high, part.unit) });
  if (low !== null) return tongue.t("target.least", { low: tongue.quantity(low, part.unit) });
  if (high !== null) return tongue.t("target.most", { high: tongue.quantity(high, part.unit) });
  return "–";
}

/** One measure of a dimension: its value, what it aims at, what it weighs and where its norm is
 * from. @param {Part} part @param {Tongue} tongue */
const partItem = (part, tongue) =>
  h(
    "li",
    {},
    h(
      "p",
      { class: "part-value" },
      h("strong", {}, part.label),
      h("span", {}, part.value === null ? "–" : tongue.quantity(part.value, part.unit)),
    ),
    part.value === null && part.reason && h("p", {}, part.reason),
    h(
      "p",
      { class: "quiet-note" },
      [
        tongue.t("why.target", { band: target(part, tongue) }),
        part.score !== null && tongue.t("why.score", { score: tongue.score(part.score) }),
        tongue.t("why.weight", { share: tongue.share(part.weight) }),
      ].filter(Boolean).join(" · "),
    ),
    part.source && h("p", { class: "quiet-note" }, tongue.t("why.source", { source: part.source })),
  );

/** @param {DimensionScore} score @param {number} mark @param {Tongue} tongue */
function rangeBar({ score, low, high }, mark, tongue) {
  if (score === null || low === null || high === null) return null;
  const words = tongue.t("range", { low: tongue.score(low), high: tongue.score(high) });
  return h(
    "div",
    { class: "range" },
    s(
      "svg",
      { viewBox: "0 0 200 18", preserveAspectRatio: "none", "aria-hidden": "true" },
      s("rect", { class: "range-rail", x: 0, y: 6, width: 200, height: 6, rx: 3 }),
      s("rect", { class: "range-span", x: 200 * low, y: 4, width: Math.max(3, 200 * (high - low)), height: 10, rx: 3 }),
      s("rect", { class: "range-score", x: 200 * score - 1, y: 1, width: 2, height: 16 }),
      s("line", { class: "range-mark", x1: 200 * mark, x2: 200 * mark, y1: 0, y2: 18 }),
    ),
    h("p", {}, words, h("span", { class: "range-words" }, tongue.t("range.mark", { mark: tongue.score(mark) }))),
  );
}

/** @param {DimensionScore} dimension @param {Report} report @param {Playhead} head @param {Tongue} tongue */
function scoreCard(dimension, report, head, tongue) {
  const { state } = dimension;
  const fr = tongue.code === "fr";
  return h(
    "section",
    { class: `score ${state}`, "data-testid": `score-${dimension.dimension}` },
    h("h3", {}, dimension.label, h("span", { class: "state" }, h("span", { "aria-hidden": "true" }, MARKS[state]), tongue.t(`state.${state}`))),
    rangeBar(dimension, report.passing_score, tongue),
    (dimension.summary || dimension.reason) && h("p", {}, dimension.summary || dimension.reason),
    dimension.provisional && h("p", { class: "quiet-note" }, tongue.t("provisional")),
    dimension.parts.length > 0 &&
      h(
        "details",
        {},
        h("summary", {}, tongue.t("why"), h("span", { class: "unseen" }, ` ${dimension.label}`), dimension.coverage < 1 && h("span", { class: "quiet-note" }, ` ${tongue.t("coverage", { share: tongue.share(dimension.coverage) })}`)),
        h("ul", { class: "parts" }, ...dimension.parts.map((part) => partItem(part, tongue))),
      ),
    dimension.events.length > 0 &&
      h(
        "details",
        { open: state !== "not_scored" && dimension.events.length <= 4 },
        h("summary", {}, `${tongue.t("events")} (${dimension.events.length})`),
        h(
          "ul",
          { class: "moments" },
          ...[...dimension.events]
            .sort((a, b) => b.effect - a.effect)
            .map((moment) =>
              h(
                "li",
                {},
                jump(head, tongue, moment.start, tongue.kind(moment.kind)),
                h(
                  "span",
                  {},
                  h("strong", {}, tongue.kind(moment.kind)),
                  moment.text && (fr ? ` «\u00a0${moment.text}\u00a0»` : ` “${moment.text}”`),
                  moment.effect >= 0.005 && h("span", { class: "effect" }, tongue.t("effect", { n: tongue.score(moment.effect) })),
                ),
              ),
            ),
        ),
      ),
  );
}

/** Everything without a value, and why. @param {Report} report */
function missing(report) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const one of report.dimensions) if (one.state === "not_scored" && one.reason) found.set(one.label, one.reason);
  for (const one of report.dimensions) for (const part of one.parts) if (part.value === null && part.reason) found.set(part.label, part.reason);
  for (const one of report.measures) if (one.value === null && one.reason) found.set(one.label, one.reason);
  return [...found];
}

/** @param {Report} report @param {Tongue} tongue */
function figures(report, tongue) {
  const known = report.measures.filter((one) => one.value !== null);
  const unknown = missing(report);
  const { snr, clipping, notes } = report.quality;
  const talked = report.reason !== "recording";
  /** @param {string} name */
  const stage = (name) => tongue.stage(report.stages[name] ?? "–");
  const fr = tongue.code === "fr";
  return h(
    "div",
    { class: "figures" },
    known.length > 0 &&
      h(
        "details",
        {},
        h("summary", {}, h("h2", {}, tongue.t("measures"))),
        tableOf(tongue.t("measures"), [tongue.t("why.measure"), tongue.t("measures.value"), ""], known.map((one) => [
          one.label,
          tongue.quantity(one.value, one.unit),
          one.error === null ? "" : tongue.t("measures.error", { n: tongue.quantity(one.error, "") }),
        ])),
      ),
    unknown.length > 0 &&
      h(
        "details",
        { open: report.dimensions.every((one) => one.state === "not_scored"), "data-testid": "missing" },
        h("summary", {}, h("h2", {}, tongue.t("missing"))),
        h("ul", {}, ...unknown.map(([label, reason]) => h("li", {}, h("strong", {}, label), fr ? "\u00a0: " : ": ", reason))),
      ),
    h(
      "details",
      {},
      h("summary", {}, h("h2", {}, tongue.t("about"))),
      h("p", {}, tongue.t(report.quality.words_heard ? "about.speech" : "about.speech.ear", { seconds: tongue.number(report.speech_seconds, 0), words: report.word_count })),
      h("h3", {}, tongue.t("quality")),
      snr !== null && h("p", {}, tongue.t("quality.snr", { n: tongue.number(snr, 0) })),
      clipping > 0.0005 && h("p", {}, tongue.t("quality.clipping", { share: tongue.share(clipping) })),
      ...notes.map((note) => h("p", {}, note)),
      talked && h("p", {}, tongue.t("about.stages", { stt: stage("stt"), llm: stage("llm"), tts: stage("tts") })),
      talked && h("p", {}, tongue.t("about.ai")),
    ),
  );
}

/**
 * The report as an element. Dispatch a `leave` event on it when it is taken away, so that what
 * plays stops.
 * @param {Report} report
 * @param {{language?: string, audioUrl?: string}} [options] `language` is the reader's, the report's
 *   own when absent; `audioUrl` is the recording that goes with it
 * @returns {HTMLElement}
 */
export function renderReport(report, options = {}) {
  const tongue = new Tongue(options.language ?? report.language);
  const head = new Playhead(options.audioUrl, tongue);
  const { feedback } = report;
  const drill = feedback.drill ? drillCard(feedback.drill, tongue) : null;
  const broken = report.status === "interrupted" || report.status === "failed";
  const reason = report.reason === "recording" ? "" : tongue.end(report.reason);
  const curves = [
    curveFigure(report.pace, "pace", report, head, tongue),
    curveFigure(report.pitch, "pitch", report, head, tongue),
    curveFigure(report.intensity, "intensity", report, head, tongue),
  ];
  const article = h(
    "article",
    { class: "report", lang: tongue.code },
    h(
      "header",
      {},
      h("p", { class: "eyebrow" }, [report.title, tongue.date(report.started_at), tongue.clock(report.duration)].filter(Boolean).join(" · ")),
      h("h1", { "data-testid": "report-headline" }, feedback.headline),
      (broken || reason) &&
        h("p", { class: "quiet-note", "data-testid": "end" }, [reason && tongue.t("end", { reason }), broken && tongue.t("cut")].filter(Boolean).join(" ")),
    ),
    h(
      "div",
      { class: "remarks" },
      ...feedback.strengths.map((one) => remarkCard(tongue.t("strength"), one, "strength", head, tongue)),
      feedback.priority
        ? remarkCard(tongue.t("priority"), feedback.priority, "priority", head, tongue, drill?.node)
        : drill && h("section", { class: "remark priority" }, h("p", { class: "eyebrow" }, tongue.t("drill.title")), drill.node),
    ),
    report.turns.length > 0 && transcript(report, head, tongue),
    report.turns.length > 0 && h("section", { class: "pictures" }, h("h2", {}, tongue.t("pictures")), timeline(report, head, tongue), ...curves),
    report.dimensions.length > 0 &&
      h(
        "section",
        { class: "scores" },
        h("h2", {}, tongue.t("scores")),
        report.dimensions.some((one) => one.score !== null) && h("p", { class: "quiet-note" }, tongue.t("scores.help")),
        h("div", { class: "score-cards" }, ...report.dimensions.map((one) => scoreCard(one, report, head, tongue))),
      ),
    figures(report, tongue),
  );
  head.audio?.addEventListener("error", () => {
    head.audio?.after(h("p", { class: "quiet-note", role: "alert" }, tongue.t("player.failed")));
  });
  article.addEventListener("leave", () => {
    head.stop();
    drill?.stop();
  });
  return article;
}
