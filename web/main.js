// The page: where each address leads.
//
//   #/                          the exercises
//   #/exercise/ID               preparation
//   #/exercise/ID/microphone    the microphone check
//   #/exercise/ID/talk          the conversation
//   #/session/SESSION           the way back into one that is live in a room
//   #/session/SESSION/microphone
//   #/session/SESSION/talk
//   #/report/SESSION            the report of a session
//   #/compare/SESSION/SESSION   two takes side by side, the earlier one first
//   #/history                   the sessions kept on this machine
//   #/progress                  the measures of all takes
//   #/about                     the AI, personal data, accessibility
//   #/memory                    what is remembered of the learner
//   #/engines                   who hears, answers and speaks, for operators

import { Problem, SIGNED_OUT, signOut } from "./api.js";
import { h } from "./dom.js";
import { language, t } from "./i18n.js";
import { settings } from "./settings.js";
import { forget, server } from "./server.js";
import { foot, top } from "./frame.js";
import { about } from "./views/about.js";
import { compare } from "./views/compare.js";
import { engines } from "./views/engines.js";
import { exercises } from "./views/exercises.js";
import { history } from "./views/history.js";
import { memory } from "./views/memory.js";
import { take } from "./talk/hold.js";
import { resume } from "./views/live.js";
import { microphone, microphoneAgain } from "./views/microphone.js";
import { prepare } from "./views/prepare.js";
import { problem } from "./views/problem.js";
import { progress } from "./views/progress.js";
import { report } from "./views/report.js";
import { signIn } from "./views/sign_in.js";
import { goOn, talk } from "./views/talk.js";

/**
 * A view that is shown: its title, its content, and what to do when it is left. `stays` asks
 * before leaving.
 * @typedef {object} Shown
 * @property {string} title
 * @property {Node} node
 * @property {() => void} [leave]
 */

/** @typedef {(...ids: string[]) => Promise<Shown> | Shown} View */

/** @type {[RegExp, View][]} */
const routes = [
  [/^#\/$/, exercises],
  [/^#\/exercise\/([^/]+)$/, prepare],
  [/^#\/exercise\/([^/]+)\/microphone$/, microphone],
  [/^#\/exercise\/([^/]+)\/talk$/, talk],
  [/^#\/session\/([^/]+)$/, resume],
  [/^#\/session\/([^/]+)\/microphone$/, microphoneAgain],
  [/^#\/session\/([^/]+)\/talk$/, goOn],
  [/^#\/report\/([^/]+)$/, report],
  [/^#\/compare\/([^/]+)\/([^/]+)$/, compare],
  [/^#\/history$/, history],
  [/^#\/progress$/, progress],
  [/^#\/about$/, about],
  [/^#\/memory$/, memory],
  [/^#\/engines$/, engines],
];

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Shown | undefined} */
let shown;
let visit = 0;
/** Views that are on their way. */
let opening = 0;

/** Who is signed in, if that matters here. @type {import("./api.js").Account | null} */
let account = null;
/** How one signs in, while one has to. @type {{oidc: boolean, key: boolean} | null} */
let entrance = null;
/** Why signing in elsewhere came to nothing. */
const fault = new URLSearchParams(location.search).get("sign_in") ?? "";

/** Learns who is signed in, and whether anybody has to be. */
async function meet() {
  try {
    const known = await server();
    account = known.accounts ? (known.account ?? null) : null;
    entrance = known.accounts && !account ? (known.sign_in ?? { oidc: false, key: true }) : null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error; // each view says itself what it misses
  }
}

/** @param {string} hash @returns {Promise<Shown>} */
async function open(hash) {
  for (const [pattern, view] of routes) {
    const match = pattern.exec(hash);
    if (!match) continue;
    try {
      return await view(...match.slice(1).map(decodeURIComponent));
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        forget();
        await meet();
        if (entrance) turnAway();
      }
      return problem(error, show);
    }
  }
  return problem(new Problem({ title: t("error.page") }));
}

/** Shows the view anew, for whoever is signed in now. */
async function again() {
  forget();
  await meet();
  await show();
}

/** The server knows the reader no more: they sign in, and come back to where they were. */
async function signedOut() {
  if (opening || entrance) return;
  forget();
  await meet();
  if (!entrance) return;
  turnAway();
  await show();
}

/** Nobody is heard at the door, and the way back to a conversation begins with a click. */
function turnAway() {
  take().microphone?.close();
  const to = location.hash.replace(/^(#\/exercise\/.*)\/talk$/, "$1/microphone");
  window.history.replaceState(null, "", to);
}

async function leave() {
  try {
    await signOut();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status !== 401) {
      part("main").replaceChildren(problem(error, show).node);
      return;
    }
  }
  await again();
}

/** Shows what the address says, moves the focus there and says where one is. */
async function show() {
  const hash = /^#\//.test(location.hash) ? location.hash : "#/";
  visit += 1;
  const mine = visit;
  shown?.leave?.();
  shown = undefined;
  const main = part("main");
  const waiting = setTimeout(() => {
    if (mine === visit) main.replaceChildren(h("p", { class: "loading", role: "status" }, t("app.loading")));
  }, 250);
  // A view does not wait to know who looks at it: without a right to it, it has nothing to show.
  const meeting = meet();
  opening += 1;
  let next = entrance ? null : await open(hash);
  opening -= 1;
  if (entrance) {
    next?.leave?.();
    next = signIn(entrance, () => void again(), fault);
  }
  clearTimeout(waiting);
  if (!next) return;
  if (mine !== visit) {
    next.leave?.();
    return;
  }
  shown = next;
  const entering = entrance;
  dress();
  document.body.dataset.view = entrance ? "sign-in" : hash.split("/").at(/^#\/(exercise|session)\//.test(hash) ? 3 : 1) || "home";
  document.title = `${next.title} – ${t("app.name")}`;
  main.replaceChildren(next.node);
  window.scrollTo(0, 0);
  const heading = main.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
  const known = account;
  await meeting;
  if (mine !== visit) return;
  if (entrance && !entering) void show();
  else if (account !== known) dress();
}

/** Language, theme and the parts around the view. */
function dress() {
  const { documentElement: page } = document;
  page.lang = language();
  if (settings.theme === "auto") delete page.dataset.theme;
  else page.dataset.theme = settings.theme;
  const skip = part("skip");
  skip.textContent = t("app.skip");
  part("top").replaceChildren(top(location.hash, show, account, leave));
  part("foot").replaceChildren(foot(dress));
}

part("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the router's
  part("main").focus();
});
window.addEventListener("hashchange", () => void show());
window.addEventListener(SIGNED_OUT, () => void signedOut());
if (fault) window.history.replaceState(null, "", location.pathname + location.hash);
dress();
void show();
