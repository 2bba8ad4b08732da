// Where a job stands that has nothing to show yet: a sign, a word, and why.

import { html } from "./vendor/preact-htm.js";
import { why } from "./words.js";

// Kinds of phases: each has a colour, and a sign for those who see none.
export const SIGNS = {
  new: ["calm", "○"], submitting: ["busy", "↑"], running: ["busy", "▶"], downloading: ["busy", "↓"],
  held: ["odd", "?"], overdue: ["odd", "⧗"], failed: ["bad", "✕"], done: ["good", "✓"], skipped: ["calm", "–"],
};

export function State({ cell }) {
  const [kind, sign] = SIGNS[cell.phase] ?? SIGNS.new;
  return html`
    <div class=${`state is-${kind}`} title=${why(cell)}>
      <span class="sign" aria-hidden="true">${sign}</span>
      <b>${cell.phase}</b>
      <span class="reason" dir="auto">${reason(cell)}</span>
    </div>`;
}

// The reason without the phase, which stands above it.
function reason(cell) {
  const text = why(cell), start = `${cell.phase}: `;
  if (text === cell.phase) return "";
  return text.startsWith(start) ? text.slice(start.length) : text;
}

export function Badge({ phase, count }) {
  const [kind, sign] = SIGNS[phase] ?? SIGNS.new;
  return html`<span class=${`badge is-${kind}`}><span aria-hidden="true">${sign}</span> ${phase}${count === undefined ? "" : ` ${count}`}</span>`;
}
