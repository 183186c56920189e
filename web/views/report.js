// A session's report, and what can be done with it.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { language, t } from "../i18n.js";
import { renderReport } from "../report/report.js";
import { practise } from "../settings.js";
import { asked, debrief } from "./debrief.js";
import { announce, erase } from "./erase.js";
import { back } from "./parts.js";
import { problem } from "./problem.js";
import { problemWords } from "../words.js";

/** @typedef {import("../report/schema.d.ts").Report} Report */
/** @typedef {import("../settings.js").Practice} Practice */

/** Seconds between two looks at a report whose content is being judged: at first, and at most. */
const LOOK = [3, 15];

/** Where the recording to play with a report is: both voices where they were kept.
 * @param {Report} report */
export function soundOf({ session, audio }) {
  const kept = audio.includes("mix") ? "mix" : audio[0];
  return kept && api.address(`${api.session(session)}/audio/${kept}`);
}

/** @param {Report} report @param {Practice} practice @returns {import("../report/report.js").Way} */
const way = ({ exercise, audio }, practice) => ({
  href: `#/exercise/${exercise}/microphone`, start: () => practise(exercise, practice, audio.length > 0),
});

/** What it was that is tried again. @param {Report} report @returns {Practice | null} */
function practiceOf({ of, drill, retried }) {
  if (drill) return { of, drill };
  if (retried !== null) return { of, retry: retried };
  return null;
}

/** The answer that a retry is another try of; nothing when its session was erased.
 * @param {Report} report */
async function earlier(report) {
  if (report.purpose !== "retry" || report.retried === null) return undefined;
  try {
    const first = await api.report(report.of);
    return { report: first, turn: report.retried, audioUrl: soundOf(first) };
  } catch (error) {
    if (error instanceof api.Problem && error.status === 404) return undefined;
    throw error;
  }
}

/** @param {unknown} error @returns {never} */
function explain(error) {
  if (!(error instanceof api.Problem)) throw error;
  const { title } = problemWords({ code: error.code, title: error.title, message: error.detail, mend: error.mend });
  throw new Error([title, error.detail].filter(Boolean).join(". "));
}

/** Whether there is a model that could judge the content. @param {Report} report */
async function judgeable({ content, quality, language: spoken }) {
  if (content.state !== "not_judged" || !content.rubric || !quality.words_heard) return false;
  try {
    const { llm } = (await api.status()).stages[spoken];
    return llm.ready && llm.provider !== "script";
  } catch (error) {
    if (error instanceof api.Problem) return false;
    throw error;
  }
}

/** @param {string} id @returns {Promise<import("../main.js").Shown>} */
export async function report(id) {
  const found = await api.report(id);
  const practice = practiceOf(found);
  const before = await earlier(found);
  const node = h("div", { class: "report-view" });
  /** @type {ReturnType<typeof renderReport> | undefined} */
  let drawn;
  let current = found;
  let looking = 0;
  let gone = false;

  /** @param {Report} now */
  function show(now) {
    current = now;
    drawn?.show(now);
  }

  async function judge() {
    await api.judge(id).catch(explain);
    show(await api.report(id));
    look(LOOK[0]);
  }

  /** @param {Report} now */
  function open(now) {
    current = now;
    /** @type {import("../report/report.js").Actions} */
    const actions = {
      dismiss: async (mark, dismissed) => show(await api.dismiss(id, mark, dismissed)),
      note: (notes) => api.note(id, notes),
      drill: (drill) => way(now, { of: id, drill }),
      retry: (turn) => way(now, { of: id, retry: turn }),
      exercise: () => `#/exercise/${now.exercise}`,
      again: practice ? () => way(now, practice) : undefined,
      compare: (other) => `#/compare/${other}/${id}`,
      report: (other) => `#/report/${other}`,
    };
    drawn = renderReport(now, { language: language(), audioUrl: soundOf(now), before, actions });
    node.replaceChildren(
      now.purpose === "exercise" ? back("#/history", t("nav.history")) : back(`#/report/${now.of}`, t("report.parent")),
      drawn.node,
      endOf(now),
    );
    if (now.content.state === "pending") look(LOOK[0]);
    void judgeable(now).then((able) => {
      if (!able || gone) return;
      actions.judge = judge;
      show(current);
    });
  }

  /** Looks again until the content is judged, ever more rarely. @param {number} seconds */
  function look(seconds) {
    looking = setTimeout(async () => {
      try {
        const now = await api.report(id);
        if (gone) return;
        if (now.content.state !== "pending") {
          show(now);
          return;
        }
      } catch (error) {
        if (!(error instanceof api.Problem)) throw error; // the server may be back at the next look
      }
      if (!gone) look(Math.min(LOOK[1], seconds * 1.5));
    }, 1000 * seconds);
  }

  /** @param {Report} now */
  function endOf(now) {
    /** @param {string} kind @param {import("../i18n.js").Key} key */
    const file = (kind, key) =>
      h("a", { class: "button", href: api.address(`${api.session(id)}/report.${kind}`), download: "", "data-testid": `export-${kind}` }, icon("download"), t(key));
    return h(
      "section",
      { class: "report-actions" },
      h("h2", {}, t("report.actions")),
      now.purpose === "exercise" && h("p", { class: "actions" }, h("a", { class: "button", href: `#/exercise/${now.exercise}`, "data-testid": "again" }, t("report.again"))),
      h(
        "details",
        { class: "exports", "data-testid": "exports" },
        h("summary", {}, t("report.export")),
        h(
          "div",
          { class: "actions" },
          file("pdf", "report.pdf"), file("html", "report.html"), file("csv", "report.csv"), file("moments", "report.moments"), file("json", "report.json"),
          h("button", { onclick: () => window.print() }, icon("print"), t("report.print")),
        ),
      ),
      h("p", { class: "actions" }, h("button", { class: "danger", "data-testid": "erase", onclick: () => void drop(now) }, icon("trash"), t("report.delete"))),
    );
  }

  /** @param {Report} now */
  async function drop(now) {
    try {
      if (!(await erase({ id, title: now.title }))) return;
    } catch (error) {
      node.replaceWith(problem(error).node);
      return;
    }
    announce(t("delete.done"));
    location.hash = "#/history";
  }

  if (asked(found)) {
    node.append(debrief(found, (worked) => {
      open({ ...found, worked });
      window.scrollTo(0, 0);
      const heading = node.querySelector("h1");
      heading?.setAttribute("tabindex", "-1");
      heading?.focus({ preventScroll: true });
    }));
  } else open(found);

  return {
    title: `${t("report.title")} – ${found.title}`,
    node,
    leave: () => {
      gone = true;
      clearTimeout(looking);
      drawn?.leave();
    },
  };
}
