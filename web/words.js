// The page's words for what the server names: errors, notices, providers and models. What it names
// and the page does not know (a third party's provider) is shown as the server says it.

import { h } from "./dom.js";
import { known, t } from "./i18n.js";

/** The message of that key, or other words. @param {string} key @param {string} otherwise */
const word = (key, otherwise) => (known(key) ? t(key) : otherwise);

/**
 * What went wrong and what to do: a headline and paragraphs. The server's own sentences stay, as
 * they name the file, the key or the package.
 * @param {{code: string, title: string, message: string, mend: string}} error
 * @returns {{title: string, text: HTMLElement[]}}
 */
export function problemWords({ code, title, message, mend }) {
  const key = `problem.${code}`;
  if (!known(key)) {
    return { title, text: [message, mend].filter(Boolean).map((one) => h("p", {}, one)) };
  }
  const detail = [message, mend].filter(Boolean).join(" ");
  return {
    title: t(key),
    text: [
      h("p", {}, word(`${key}.mend`, mend)),
      ...(detail ? [h("p", { class: "detail" }, h("strong", {}, t("problem.detail")), h("br"), detail)] : []),
    ],
  };
}

/** A notice's sentence. `code` is `storage_failed`, or a stage and a cause as in `stt_timeout`.
 * @param {string} code @param {string} message the server's */
export function noticeWords(code, message) {
  const [, stage, cause] = /^(stt|llm|tts)_(\w+)$/.exec(code) ?? [];
  const key = `notice.${cause ?? code}`;
  if (!known(key)) return message;
  return t(key, { stage: stage ? word(`notice.${stage}`, stage) : "" });
}

/** What serves a stage: its name and one sentence about it.
 * @param {string} stage @param {import("./api.js").Stage} status */
export function providerWords(stage, { provider, model, detail, ready, by_ear: ear }) {
  const key = `provider.${stage}.${provider}`;
  const name = word(key, provider);
  return {
    // Of what is not ready, and by ear, `model` is the one that would help.
    name: model && ready && !ear ? `${name}, ${model}` : name,
    detail: ready ? word(`${key}.detail`, detail) : detail,
  };
}

/** Who takes over when a stage fails, and where that is if it is elsewhere.
 * @param {string} stage @param {import("./protocol.d.ts").Standby} standby */
export function standbyWords(stage, { provider, leaves_machine: where }) {
  const name = word(`provider.${stage}.${provider}`, provider);
  return where ? `${name} (${t("stages.leaves", { where })})` : name;
}

/** That another provider serves a stage from now on. @param {import("./protocol.d.ts").StageChanged} change */
export function takeoverWords({ stage, provider, leaves_machine: where, cause }) {
  const words = { stage: t(`notice.${stage}`), by: word(`provider.${stage}.${provider}`, provider) };
  const told = t(cause ? "takeover.failed" : "takeover.back", words);
  return where ? `${told} ${t("takeover.leaves", { where })}` : told;
}

/** What a model is for. @param {import("./api.js").Model} model */
export const modelWords = ({ name, title }) => word(`model.${name}`, title);
