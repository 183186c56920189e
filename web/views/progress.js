// The learner's raw measures, take after take, against their own first ones; never others'.

import * as api from "../api.js";
import { h, s } from "../dom.js";
import { clock, date, language, number, t } from "../i18n.js";
import { tableOf } from "../report/parts.js";
import { Tongue } from "../report/tongue.js";

/** @typedef {import("../report/schema.d.ts").Progress} Progress */
/** @typedef {import("../report/schema.d.ts").Trend} Trend */

const WIDTH = 340;
const HEIGHT = 150;
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 12, 12, 26];
/** An 80 % interval is so many standard errors to each side. */
const CERTAIN = 1.28;

/** @returns {Promise<import("../main.js").Shown>} */
export async function progress() {
  const [found, exercises] = await Promise.all([api.progress(language()), api.exercises(language())]);
  const body = h("div", {});
  const which = h(
    "select",
    { "data-testid": "progress-which" },
    h("option", { value: "setting=conversation", selected: found.setting === "conversation" }, t("progress.all.conversation")),
    h("option", { value: "setting=presentation", selected: found.setting === "presentation" }, t("progress.all.presentation")),
    ...exercises.map(({ id, title }) => h("option", { value: `exercise=${id}` }, title)),
  );
  which.addEventListener("change", async () => {
    const [name, value] = which.value.split("=");
    draw(await api.progress(language(), { [name]: value }));
  });

  /** @param {Progress} now */
  function draw(now) {
    const tongue = new Tongue(language());
    const moved = now.trends.filter((one) => one.verdict === "better" || one.verdict === "worse" || one.verdict === "changed");
    const still = now.trends.filter((one) => one.verdict === "same");
    const few = now.trends.filter((one) => one.verdict === "few");
    /** @param {readonly Trend[]} trends */
    const cards = (trends) => h("div", { class: "trends" }, ...trends.map((one) => card(one, tongue)));
    body.replaceChildren(
      h("p", { role: "status", "data-testid": "progress-sentence" }, now.takes > 0 ? now.sentence : t("progress.empty")),
      ...(now.takes > 0
        ? [
            ...[now.by_ear ? t("progress.ear") : "", ...now.notes].filter(Boolean).map((one) => h("p", { class: "muted" }, one)),
            legend(),
          ]
        : [h("p", {}, h("a", { class: "button primary", href: "#/" }, t("history.start")))]),
      ...(moved.length > 0 ? [h("h2", {}, t("progress.moved")), cards(moved)] : []),
      ...(still.length > 0 ? [folded("still", t("progress.still", { n: still.length }), cards(still), moved.length === 0)] : []),
      ...(few.length > 0 ? [folded("few", t("progress.few.all", { n: few.length }), cards(few), false)] : []),
    );
  }

  draw(found);
  return {
    title: t("progress.title"),
    node: h(
      "section",
      { class: "progress-view report", "data-testid": "progress" },
      h("h1", {}, t("progress.title")),
      h("p", { class: "lead" }, t("progress.lead")),
      h("label", { class: "field" }, t("progress.which"), which),
      body,
    ),
  };
}

/** What moved comes first: the rest is folded. @param {string} name @param {string} title
 * @param {Node} trends @param {boolean} open */
const folded = (name, title, trends, open) =>
  h("details", { class: "others", open, "data-testid": `progress-${name}` }, h("summary", {}, h("h2", {}, title)), trends);

const legend = () =>
  h(
    "ul",
    { class: "legend", "aria-hidden": "true" },
    h("li", {}, h("span", { class: "key take-key" }), t("progress.legend.take")),
    h("li", {}, h("span", { class: "key start-key" }), t("progress.legend.start")),
    h("li", {}, h("span", { class: "key band-key" }), t("progress.legend.band")),
  );

/** @param {Trend} trend @param {Tongue} tongue */
function card(trend, tongue) {
  const verdict = trend.verdict === "few" ? t("progress.few") : tongue.t(`verdict.${trend.verdict}`);
  const table = h(
    "details",
    { class: "as-table" },
    h("summary", {}, t("progress.table"), h("span", { class: "unseen" }, ` (${trend.label})`)),
    tableOf(trend.label, [t("progress.take"), t("progress.value"), t("progress.error"), t("progress.speech")], trend.points.map((point) => [
      h("a", { href: `#/report/${point.session}` }, date(point.started_at), h("small", {}, point.title)),
      tongue.quantity(point.value, trend),
      t("progress.within", { n: tongue.value(CERTAIN * point.error, trend) }),
      point.words > 0 ? t("progress.speech.words", { seconds: number(Math.round(point.seconds)), words: number(point.words) }) : clock(point.seconds),
    ])),
  );
  return h(
    "figure",
    { class: "trend", "data-testid": `trend-${trend.measure}` },
    h(
      "figcaption",
      {},
      h("h3", {}, trend.label, h("span", { class: `verdict-word ${trend.verdict}` }, verdict)),
      h("p", {}, trend.sentence),
    ),
    picture(trend, tongue),
    table,
  );
}

/** Every take with its interval, beside the first ones and the target zone.
 * @param {Trend} trend @param {Tongue} tongue */
function picture(trend, tongue) {
  const { points, baseline, band } = trend;
  const reach = points.flatMap(({ value, error }) => [value - CERTAIN * error, value + CERTAIN * error]);
  const known = [...reach, ...band.filter((one) => one !== null)];
  // What cannot be negative is not drawn below zero.
  const least = Math.max(Math.min(...known), points.every(({ value }) => value >= 0) ? 0 : -Infinity);
  const most = Math.max(...known);
  const margin = (most - least) * 0.08 || 1;
  /** @param {number} value */
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.max(0, Math.min(1, (value - least + margin) / (most - least + 2 * margin))));
  const step = (WIDTH - LEFT - RIGHT) / points.length;
  /** @param {number} index */
  const x = (index) => LEFT + step * (index + 0.5);
  const [low, high] = band;
  const top = high === null ? TOP : y(high);
  const foot = low === null ? HEIGHT - BOTTOM : y(low);
  const start = [y(baseline.value + CERTAIN * baseline.error), y(baseline.value - CERTAIN * baseline.error)];
  const right = WIDTH - RIGHT;
  const day = new Intl.DateTimeFormat(language(), { day: "numeric", month: "short" });
  return s(
    "svg",
    { class: "trend-picture", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${trend.label}. ${trend.sentence}` },
    (low !== null || high !== null) && s("rect", { class: "band", x: LEFT, width: right - LEFT, y: top, height: Math.max(1, foot - top) }),
    s("rect", { class: "start", x: LEFT, width: right - LEFT, y: start[0], height: Math.max(2, start[1] - start[0]) }),
    s("line", { class: "start-line", x1: LEFT, x2: right, y1: y(baseline.value), y2: y(baseline.value) }),
    ...[least, most].map((value) => s("text", { class: "axis", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, tongue.value(value, trend))),
    s("polyline", { class: "trend-line", points: points.map(({ value }, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }),
    ...points.flatMap(({ value, error }, index) => [
      s("line", { class: "error", x1: x(index), x2: x(index), y1: y(value - CERTAIN * error), y2: y(value + CERTAIN * error) }),
      s("circle", { class: "take-dot", cx: x(index), cy: y(value), r: Math.max(2.5, Math.min(4.5, step / 2.4)) }),
    ]),
    s("text", { class: "axis", x: LEFT, y: HEIGHT - 6 }, day.format(points[0].started_at * 1000)),
    points.length > 1 && s("text", { class: "axis", x: right, y: HEIGHT - 6, "text-anchor": "end" }, day.format(points[points.length - 1].started_at * 1000)),
  );
}
