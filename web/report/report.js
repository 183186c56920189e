/** @param {import("./schema.d.ts").Report} report @param {{language?: string, audioUrl?: string}} options */
export function renderReport(report, options) { const d = document.createElement("article"); d.textContent = report.feedback.headline + (options.language ?? ""); return d; }
