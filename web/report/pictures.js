// Lines over time: who speaks, pace, pitch and level. Each is also a table and a sentence.

import { h, s } from "../dom.js";
import { familyOf } from "./marks.js";
import { details, tableOf } from "./parts.js";

/** @typedef {import("./schema.d.ts").Report} Report */
/** @typedef {import("./schema.d.ts").Curve} Curve */
/** @typedef {import("./report.js").Page} Page */

const LEFT = 38;
const RIGHT = 8;
const AXIS = 22;

/** Seconds between two marks of a time axis, so that few enough fit.
 * @param {number} duration @param {number} width */
function stepOf(duration, width) {
  const most = Math.max(2, Math.floor(width / 70));
  return [5, 10, 15, 30, 60, 120, 300, 600, 1200].find((step) => duration / step <= most) ?? 3600;
}

/**
 * A picture over time: redrawn at the width it is given, with the playhead across it.
 * @param {{duration: number, height: number, label: string, page: Page,
 *   draw: (place: {x: (time: number) => number, width: number, height: number}) => Node[]}} parts
 */
function picture({ duration, height, label, page: { head, tongue }, draw }) {
  const holder = h("div", { class: "picture" });
  holder.style.minHeight = `${height + AXIS}px`; // its place is kept until it is drawn
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
        s("text", { class: "axis", x: x(time), y: height + 16, "text-anchor": x(time) > width - 24 ? "end" : "middle" }, tongue.clock(time)),
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
  head.follow(holder, (time) => {
    line.setAttribute("visibility", "visible");
    line.setAttribute("x1", String(x(time)));
    line.setAttribute("x2", String(x(time)));
  });
  return holder;
}

/** A table, made when it is first opened. @param {string} key @param {string} label
 * @param {string[]} heads @param {() => string[][]} rows @param {Page} page */
function asTable(key, label, heads, rows, { tongue }) {
  const node = details(`table-${key}`, [tongue.t("table"), h("span", { class: "unseen" }, ` (${label})`)]);
  node.classList.add("as-table");
  const fill = () => {
    if (!node.querySelector("table")) node.append(tableOf(label, heads, rows()));
  };
  node.addEventListener("toggle", fill);
  return node;
}

/** Turns, pauses and marks. @param {Report} report @param {Page} page */
function timeline(report, page) {
  const { tongue } = page;
  const own = report.turns.filter((turn) => turn.speaker === "learner");
  const ownName = own[0]?.name || tongue.t("you");
  const otherName = report.turns.find((turn) => turn.speaker === "character")?.name ?? "";
  const pauses = own.flatMap((turn) => turn.pauses);
  const spoken = own.reduce((sum, turn) => sum + turn.end - turn.start, 0);
  const marks = report.marks;
  const sentence = tongue.t("timeline.sentence", {
    own: tongue.number(spoken, 0), all: tongue.number(report.duration, 0), turns: own.length, pauses: pauses.length, marks: marks.length,
  });
  const duration = Math.max(report.duration, 1);
  return h(
    "figure",
    { "data-testid": "timeline" },
    h("figcaption", {}, h("h3", {}, tongue.t("timeline")), h("p", {}, sentence)),
    h(
      "ul",
      { class: "legend", "aria-hidden": "true" },
      otherName && h("li", {}, h("span", { class: "key other" }), otherName),
      h("li", {}, h("span", { class: "key own" }), ownName),
      h("li", {}, h("span", { class: "key gap" }), tongue.t("timeline.legend.pause")),
      marks.some((mark) => !mark.good) && h("li", {}, h("span", { class: "key event" }), tongue.t("timeline.legend.event")),
      marks.some((mark) => mark.good) && h("li", {}, h("span", { class: "key good" }), tongue.t("timeline.legend.good")),
    ),
    picture({
      duration, height: 84, label: sentence, page,
      draw: ({ x }) => [
        ...report.turns.flatMap((turn) => {
          const mine = turn.speaker === "learner";
          const stretches = turn.speech.length > 0 ? turn.speech : [/** @type {[number, number]} */ ([turn.start, turn.end])];
          return stretches.map(([start, end]) =>
            s("rect", { class: `${mine ? "own" : "other"} ${turn.phase}`, x: x(start), width: Math.max(1.5, x(end) - x(start)), y: mine ? 34 : 4, height: 22, rx: 3 }));
        }),
        ...pauses.map((pause) =>
          s("rect", { class: `gap ${pause.kind}`, x: x(pause.start), width: Math.max(1, x(pause.end) - x(pause.start)), y: 41, height: 8 })),
        ...marks.map((mark) => {
          const at = x((mark.start + mark.end) / 2);
          const kind = `event ${familyOf(mark)}${mark.dismissed ? " dismissed" : ""}`;
          return mark.good
            ? s("circle", { class: kind, cx: at, cy: 70, r: 5 })
            : s("path", { class: kind, d: `M${at - 5.5} 75h11l-5.5-10z` });
        }),
      ],
    }),
    asTable("timeline", tongue.t("timeline"), [tongue.t("table.who"), tongue.t("timeline.kind"), tongue.t("timeline.from"), tongue.t("timeline.to")], () =>
      report.turns.flatMap((turn) => {
        const name = turn.name || tongue.t("you");
        /** @type {[number, string[]][]} */
        const inside = [
          ...turn.pauses.map((pause) => /** @type {[number, string[]]} */ ([pause.start, [
            name, tongue.t("pause", { n: tongue.number(pause.end - pause.start) }), tongue.clock(pause.start), tongue.clock(pause.end),
          ]])),
          ...marks.filter((mark) => mark.turn === turn.index).map((mark) => /** @type {[number, string[]]} */ ([mark.start, [
            name, mark.dismissed ? `${mark.label} (${tongue.t("mark.dismissed")})` : mark.label, tongue.clock(mark.start), tongue.clock(mark.end),
          ]])),
        ];
        return [
          [name, tongue.t("timeline.speech"), tongue.clock(turn.start), tongue.clock(turn.end)],
          ...inside.sort(([a], [b]) => a - b).map(([, row]) => row),
        ];
      }), page),
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

/** Points of the width that a stroke of a dense curve stands for. */
const STROKE = 4;

/** What a curve does within equal stretches of time: its middle value and the range of four fifths
 * of its values, in as many pieces as its gaps leave. @param {Curve} curve @param {number} step seconds */
function strokes(curve, step) {
  /** @type {Map<number, number[]>} */
  const bins = new Map();
  curve.values.forEach((value, index) => {
    if (value === null) return;
    const bin = Math.floor(curve.times[index] / step);
    const values = bins.get(bin);
    if (values) values.push(value);
    else bins.set(bin, [value]);
  });
  /** @type {{time: number, low: number, middle: number, high: number}[][]} */
  const found = [];
  let last = -Infinity;
  for (const [bin, values] of [...bins].sort(([a], [b]) => a - b)) {
    values.sort((a, b) => a - b);
    /** @param {number} share */
    const at = (share) => values[Math.round(share * (values.length - 1))];
    if (bin - last > 1) found.push([]);
    found[found.length - 1].push({ time: (bin + 0.5) * step, low: at(0.1), middle: at(0.5), high: at(0.9) });
    last = bin;
  }
  return found;
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
    const values = bins.get(bin);
    if (values) values.push(value);
    else bins.set(bin, [value]);
  });
  return [...bins].map(([bin, values]) => ({
    from: bin * step, to: (bin + 1) * step, mean: values.reduce((a, b) => a + b, 0) / values.length,
  }));
}

/** What an unusual unit means. @type {Record<string, import("./tongue.js").Message | undefined>} */
const GLOSSES = { pitch: "gloss.pitch", intensity: "gloss.intensity" };

/** A line over time with its target zone. @param {Curve} curve @param {string} kind
 * @param {Report} report @param {Page} page */
function curveFigure(curve, kind, report, page) {
  const { tongue } = page;
  const lines = pieces(curve);
  const values = lines.flat().map(([, value]) => value);
  if (values.length === 0) {
    return curve.sentence ? h("p", { class: "quiet-note", "data-testid": kind }, tongue.labelled(curve.label, curve.sentence)) : null;
  }
  // A few stray values would flatten all the others: they are drawn at the edge.
  const sorted = [...values].sort((a, b) => a - b);
  const stray = values.length > 60 ? Math.floor(values.length * 0.02) : 0;
  const low = Math.min(sorted[stray], ...(curve.band ?? []));
  const high = Math.max(sorted[sorted.length - 1 - stray], ...(curve.band ?? []));
  const margin = (high - low) * 0.12 || 1;
  const duration = Math.max(report.duration, 1);
  const unit = curve.unit;
  const gloss = GLOSSES[kind];
  return h(
    "figure",
    { "data-testid": kind },
    h("figcaption", {}, h("h3", {}, curve.label, h("span", { class: "unit" }, unit)), curve.sentence && h("p", {}, curve.sentence)),
    picture({
      duration, height: 120, label: `${curve.label}. ${curve.sentence}`, page,
      draw: ({ x, width, height }) => {
        /** @param {number} value */
        const y = (value) => {
          const share = (value - low + margin) / (high - low + 2 * margin);
          return height * (1 - Math.max(0, Math.min(1, share)));
        };
        /** @param {number} value */
        const figure = (value) => s("text", { class: "axis", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, tongue.number(value));
        const band = curve.band;
        /** @param {number} time @param {number} value */
        const point = (time, value) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`;
        const sparse = () => lines.map((piece) =>
          piece.length === 1
            ? s("circle", { class: `dot ${kind}`, cx: x(piece[0][0]), cy: y(piece[0][1]), r: 2 })
            : s("polyline", { class: `curve ${kind}`, points: piece.map(([time, value]) => point(time, value)).join(" ") }));
        const step = (STROKE * duration) / (width - LEFT - RIGHT);
        const dense = () => strokes(curve, step).flatMap((piece) => {
          const [first, last] = [piece[0].time - step / 2, piece[piece.length - 1].time + step / 2];
          const edged = [{ ...piece[0], time: first }, ...piece, { ...piece[piece.length - 1], time: last }];
          return [
            s("polygon", { class: "spread", points: [...edged.map(({ time, high }) => point(time, high)), ...edged.reverse().map(({ time, low }) => point(time, low))].join(" ") }),
            s("polyline", { class: `curve ${kind}`, points: edged.map(({ time, middle }) => point(time, middle)).join(" ") }),
          ];
        });
        return [
          ...(band
            ? [
                s("rect", { class: "band", x: LEFT, width: width - LEFT - RIGHT, y: y(band[1]), height: Math.max(1, y(band[0]) - y(band[1])) }),
                s("text", { class: "axis band-name", x: width - RIGHT - 4, y: y(band[1]) + 14, "text-anchor": "end" }, tongue.t("band")),
                figure(band[0]), figure(band[1]),
              ]
            : [figure(low), figure(high)]),
          ...(values.length > (width - LEFT - RIGHT) / 2 ? dense() : sparse()),
        ];
      },
    }),
    gloss && h("p", { class: "quiet-note" }, tongue.t(gloss)),
    asTable(kind, curve.label, [tongue.t("table.time"), `${curve.label} (${unit})`], () =>
      means(curve, duration).map(({ from, to, mean }) => [`${tongue.clock(from)} – ${tongue.clock(to)}`, tongue.number(mean)]), page),
  );
}

/** @param {Report} report @param {Page} page */
export const pictures = (report, page) =>
  report.turns.every((turn) => turn.speaker !== "learner")
    ? null
    : h(
        "section",
        { class: "pictures" },
        h("h2", {}, page.tongue.t("pictures")),
        timeline(report, page),
        curveFigure(report.pace, "pace", report, page),
        curveFigure(report.pitch, "pitch", report, page),
        curveFigure(report.intensity, "intensity", report, page),
      );
