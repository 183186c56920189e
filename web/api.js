// What the server answers over HTTP. Paths follow the page, wherever it is served from.

import { here, t } from "./i18n.js";

/** @typedef {import("./protocol.d.ts").StageStatus} StageStatus */
/** @typedef {StageStatus & {ready: boolean, by_ear: boolean}} Stage */
/** @typedef {{stt: Stage, llm: Stage, tts: Stage}} Stages */
/**
 * @typedef {object} Status
 * @property {string} version
 * @property {string} language
 * @property {{live: number, most?: number}} capacity `most`: none in rooms
 * @property {Record<string, Stages>} stages by language
 * @property {string[]} problems
 * @property {"websocket" | "livekit"} [transport]
 * @property {boolean} [accounts] whether one signs in
 * @property {{oidc: boolean, key: boolean}} [sign_in] how
 * @property {Account | null} [account] who is signed in
 */
/** @typedef {{id: string, name: string, role: "learner" | "author" | "operator"}} Account */
/** @typedef {{id: string, name: string, role: string, description: string, avatar: string}} Character */
/**
 * @typedef {object} Exercise
 * @property {string} id
 * @property {string} title
 * @property {string} description
 * @property {string} goal
 * @property {string} icon
 * @property {"beginner" | "intermediate" | "advanced"} difficulty
 * @property {number} duration_minutes
 * @property {Character} character
 * @property {string[]} dimensions
 * @property {{minimum: number, maximum: number}} patience
 * @property {string[]} tips
 * @property {{id: string, title: string, description: string}[]} scenarios
 */
/**
 * @typedef {object} StoredSession
 * @property {string} id
 * @property {string} exercise
 * @property {string} title
 * @property {string} character
 * @property {"fr" | "en"} language
 * @property {number} started_at
 * @property {number | null} duration null while it is live
 * @property {string} status
 * @property {string} reason
 * @property {string[]} audio
 * @property {"exercise" | "drill" | "retry"} purpose
 * @property {string} of the session that a drill or a retry belongs to
 * @property {boolean} exam
 * @property {boolean} [room] whether it is held in a room, and can be taken up again while it is live
 */
/**
 * The right to join a session's room.
 * @typedef {object} Ticket
 * @property {string} session
 * @property {string} room
 * @property {string} url
 * @property {string} token
 * @property {string} identity
 * @property {number} expires POSIX time
 */
/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} language
 * @property {string} stage
 * @property {number} size bytes
 * @property {string} title
 * @property {boolean} installed
 * @property {"absent" | "downloading" | "installed" | "failed"} state
 * @property {number} received
 * @property {number} total
 * @property {string} message
 */

/** @typedef {{ready: boolean, detail: string, mend: string, model: string, leaves_machine: string}} Readiness */
/** @template T @typedef {Record<"fr" | "en", T>} ByLanguage */
/** @typedef {{provider: string, options: Record<string, unknown>, serves: ByLanguage<string>, readiness: ByLanguage<Readiness>}} Engine */
/**
 * @typedef {object} EngineOption
 * @property {string} name
 * @property {"text" | "number" | "integer" | "boolean" | "other"} type
 * @property {boolean} secret never told, and given in a variable
 * @property {string} set_by the variable that sets it now
 * @property {unknown} default
 */
/** @typedef {{provider: string, installed: boolean, readiness: ByLanguage<Readiness>, options: EngineOption[]}} EngineOffer */
/**
 * Who serves a stage, who takes over, and who else could.
 * @typedef {object} EngineStage
 * @property {"stt" | "llm" | "tts"} stage
 * @property {Engine} chosen
 * @property {Engine[]} fallback
 * @property {ByLanguage<string[]>} last who takes over without having been named
 * @property {string} locked the variable that counts more than the file, or ""
 * @property {EngineOffer[]} offers
 */
/** @typedef {{code: string, message: string, places: Record<string, string>}} Warned */
/** @typedef {{file: string, problem: {detail: string, mend: string} | null, stages: EngineStage[]}} Engines */
/** @typedef {{provider: string, options: Record<string, unknown>}} Named */
/** @typedef {Named & {fallback: Named[]}} Wanted */

/** @typedef {{id: string, kind: string, text: string, noted_at: number}} Fact */
/** @typedef {{available: boolean, on: boolean, facts: Fact[]}} Memory */

/**
 * @typedef {object} Plugin
 * @property {string} name
 * @property {string | null} package null for one that is not installed
 * @property {boolean} enabled
 * @property {boolean} off whether it kept failing and was switched off
 * @property {number} calls
 * @property {number} failures
 * @property {number} seconds that all its calls took
 */
/** @typedef {{locked: string, plugins: Plugin[]}} Plugins */

/** What went wrong, in words, and what the reader can do. */
export class Problem extends Error {
  /** @param {{title: string, detail?: string, mend?: string, code?: string, status?: number,
   *   wait?: number, session?: string}} facts `status` 0: there was no answer; `wait`: seconds
   *   before another try; `session`: the one that is in the way */
  constructor({ title, detail = "", mend = "", code = "", status = 0, wait, session }) {
    super(detail || title);
    this.title = title;
    this.detail = detail;
    this.mend = mend;
    this.code = code;
    this.status = status;
    this.wait = wait;
    this.session = session;
  }
}

const root = new URL("api/v1/", document.baseURI);

/** @param {string} path */
export const address = (path) => new URL(path, root).href;

/** The address of a conversation. */
export function talkAddress() {
  const url = new URL("talk", root);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/**
 * @param {string} path @param {RequestInit} [options] @returns {Promise<any>}
 * @throws {Problem}
 */
async function ask(path, options) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(address(path), options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem({ title: t("error.unreachable"), mend: t(here ? "error.unreachable.mend" : "error.unreachable.far") });
  }
  const json = /\bjson\b/.test(response.headers.get("content-type") ?? "");
  const body = json ? await response.json() : null;
  if (response.ok) return body;
  const { status } = response;
  if (status === 401) window.dispatchEvent(new Event(SIGNED_OUT));
  const wait = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  throw new Problem({
    title: t("error.refused"), ...(json ? body : {}), status, wait: wait > 0 ? wait : undefined,
  });
}

/** Told to the window when the server does not know, or knows no more, who asks. */
export const SIGNED_OUT = "signed-out";

/** @returns {Promise<Status>} */
export const status = () => ask("status");

/** @param {string} language @returns {Promise<Exercise[]>} */
export const exercises = (language) => ask(`exercises?language=${language}`);

/** @param {string} language @param {string} id @returns {Promise<Exercise>} */
export async function exercise(language, id) {
  const found = (await exercises(language)).find((one) => one.id === id);
  if (found) return found;
  throw new Problem({ title: t("error.exercise"), mend: t("error.exercise.mend"), status: 404 });
}

/** What one may work on in an exercise: what is proposed, if anything, and all that can be chosen.
 * @typedef {import("./report/schema.d.ts").Goal} Goal
 * @param {string} language @param {string} exercise
 * @returns {Promise<{proposal: Goal | null, choices: Goal[]}>} */
export const goals = (language, exercise) =>
  ask(`goals?language=${language}&exercise=${encodeURIComponent(exercise)}`);

/** @returns {Promise<StoredSession[]>} */
export const sessions = () => ask("sessions");

/** Where a session is. @param {string} id */
export const session = (id) => `sessions/${encodeURIComponent(id)}`;

/** @typedef {import("./report/schema.d.ts").Report} Report */

/** @param {string} id @returns {Promise<Report>} */
export const report = (id) => ask(`${session(id)}/report`);

/** @param {string} method @param {unknown} body @param {Record<string, string>} [headers] @returns {RequestInit} */
const send = (method, body, headers = {}) => ({
  method, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body),
});

/** @param {unknown} body */
const put = (body) => send("PUT", body);

/** Sets a mark aside, or puts it back; the answer is the report as it is then.
 * @param {string} id @param {string} mark @param {boolean} dismissed @returns {Promise<Report>} */
export const dismiss = (id, mark, dismissed) =>
  ask(`${session(id)}/marks/${encodeURIComponent(mark)}`, put({ dismissed }));

/** Begins to have the content of a session judged. @param {string} id @returns {Promise<void>} */
export const judge = (id) => ask(`${session(id)}/judgement`, { method: "POST" });

/** Keeps what the learner says went well, or will try. @param {string} id
 * @param {{worked?: string, plan?: string}} notes @returns {Promise<void>} */
export const note = (id, notes) => ask(`${session(id)}/notes`, put(notes));

/** A take beside an earlier one. @param {string} earlier @param {string} later
 * @returns {Promise<import("./report/schema.d.ts").Comparison>} */
export const compare = (earlier, later) => ask(`${session(later)}/comparison?with=${encodeURIComponent(earlier)}`);

/** The raw measures of all takes, of one exercise or of one setting if given.
 * @param {string} language @param {{exercise?: string, setting?: string}} [choice]
 * @returns {Promise<import("./report/schema.d.ts").Progress>} */
export const progress = (language, choice = {}) => ask(`progress?${new URLSearchParams({ language, ...choice })}`);

/** @param {string} id */
export const remove = (id) => ask(session(id), { method: "DELETE" });

/** @returns {Promise<Model[]>} */
export const models = () => ask("models");

/** @param {string} name */
export const download = (name) => ask(`models/${encodeURIComponent(name)}`, { method: "POST" });

/** What is remembered of the learner. @returns {Promise<Memory>} */
export const memory = () => ask("memory");

/** @param {boolean} on */
export const rememberMe = (on) => ask("memory", put({ on }));

/** @param {string} id @param {string} text @returns {Promise<Fact>} */
export const correct = (id, text) => ask(`memory/facts/${encodeURIComponent(id)}`, put({ text }));

/** @param {string} id */
export const eraseFact = (id) => ask(`memory/facts/${encodeURIComponent(id)}`, { method: "DELETE" });

export const forgetAll = () => ask("memory", { method: "DELETE" });

// What operators see and change.

/** @returns {Promise<Engines>} */
export const engines = () => ask("providers");

/** @param {string} stage @param {Wanted} wanted @returns {Promise<EngineStage & {warnings: Warned[]}>} */
export const chooseEngine = (stage, wanted) => ask(`providers/${stage}`, put(wanted));

/** What the vendors themselves say. @param {string} stage @returns {Promise<Record<string, ByLanguage<Readiness>>>} */
export const checkEngines = (stage) => ask(`providers/${stage}/check`, { method: "POST" });

/** @returns {Promise<Plugins>} */
export const plugins = () => ask("plugins");

/** @param {string} name @param {boolean} on @returns {Promise<Plugins>} */
export const letTakePart = (name, on) => ask(`plugins/${encodeURIComponent(name)}`, put({ on }));

// Rooms. A server that does not answer in time is asked again.

/** Seconds for an answer. */
const ANSWER = 8;
const soon = () => AbortSignal.timeout(1000 * ANSWER);

/** Makes a session in a room; again the same one for the same key.
 * @param {import("./protocol.d.ts").Hello} hello @param {string} key @returns {Promise<Ticket>} */
export const begin = (hello, key) =>
  ask("sessions", { ...send("POST", hello, { "Idempotency-Key": key }), signal: soon() });

/** A new right to join. @param {string} id
 * @param {number} [missing] the coach whom one has met, and who is not in the room; 0 for nobody
 * @returns {Promise<Ticket>} */
export const rejoin = (id, missing = 0) =>
  ask(`${session(id)}/token`, { ...send("POST", { missing }), signal: soon() });

/** Ends a session that is live. @param {string} id @returns {Promise<void>} */
export const end = (id) => ask(`${session(id)}/end`, { method: "POST", signal: soon() });

// Who asks.

/** @param {string} key @returns {Promise<void>} */
export const signIn = (key) => ask("sign-in", send("POST", { key }));

/** Where one signs in with the school's own account. @param {string} to the page to come back to */
export const signInElsewhere = (to) => address(`sign-in/oidc?${new URLSearchParams({ to })}`);

/** @returns {Promise<void>} */
export const signOut = () => ask("sign-out", { method: "POST" });
