// When things happened to one job: a strip, and the moments in words.

import { html } from "./vendor/preact-htm.js";
import { span } from "./words.js";

const ORDER = ["planned", "submitted", "accepted", "completed", "downloaded", "ended"];
// What went on until the next moment.
const PARTS = { planned: ["wait", "waiting"], submitted: ["wait", "submitting"], accepted: ["make", "being made"], completed: ["load", "downloading"] };

export function Timeline({ times }) {
  const known = ORDER.filter((name) => times[name] !== undefined);
  if (!known.length) return null;
  const parts = known.slice(0, -1).map((name, index) => {
    const [kind, words] = PARTS[name] ?? ["wait", name];
    return { kind, words, seconds: Math.max(0, (times[known[index + 1]] - times[name]) / 1000) };
  }).filter(({ seconds }) => seconds > 0);
  return html`<h3>Times</h3>
    ${parts.length > 0 && html`<div class="strip" role="img" aria-label=${parts.map(({ words, seconds }) => `${words} ${span(seconds)}`).join(", ")}>
      ${parts.map(({ kind, words, seconds }) => html`<span class=${`is-${kind}`} title=${`${words}: ${span(seconds)}`} style=${{ flexGrow: seconds }}></span>`)}</div>`}
    <dl class="times">${known.map((name, index) => html`
      <dt>${name}</dt><dd>${index === 0 ? moment(times[name]) : html`+${span((times[name] - times[known[index - 1]]) / 1000)} <span class="quiet">${moment(times[name]).slice(11)}</span>`}</dd>`)}</dl>`;
}

function moment(at) {
  return `${new Date(at).toISOString().replace("T", " ").slice(0, 19)} UTC`;
}
