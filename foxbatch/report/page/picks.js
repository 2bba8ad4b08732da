// Cells chosen to be compared: the key that chooses one, and the bar that says which.

import { html, useEffect, useRef } from "./vendor/preact-htm.js";
import { numberOf } from "./files.js";
import { isTyping } from "./rate.js";

export const FEWEST = 2, MOST = 6;

// With a seventh the first one leaves.
export function toggled(picked, key) {
  return picked.includes(key) ? picked.filter((one) => one !== key) : [...picked, key].slice(-MOST);
}

export function Picks({ view, byKey, change }) {
  const now = useRef(null);
  now.current = { view, byKey, change };
  useEffect(() => {
    const listener = (event) => keyed(event, now.current);
    // Before others: `c` on a cell is about that cell.
    addEventListener("keydown", listener, true);
    return () => removeEventListener("keydown", listener, true);
  }, []);
  const cells = view.picked.map((key) => [key, byKey.get(key)]).filter(([, cell]) => cell);
  if (cells.length === 0 || view.show === "compare") return null;
  const few = cells.length < FEWEST;
  return html`
    <section class="picks" aria-label="To compare">
      <p role="status"><b>${cells.length}</b> to compare${few ? ": choose another one" : ""}</p>
      <ul>${cells.map(([key, cell]) => html`<li key=${key}>
        <button type="button" class="chip" title=${cell.name} aria-label=${`Do not compare ${cell.name}`}
          onClick=${() => change({ picked: toggled(view.picked, key) })}><bdi>${cell.name}</bdi> ${numberOf(cell) && html`<span class="quiet">${numberOf(cell)}</span>`} <span aria-hidden="true">✕</span></button></li>`)}</ul>
      <button type="button" class="main" disabled=${few} aria-keyshortcuts="Shift+C" title="Side by side (Shift+C)" onClick=${() => change({ show: "compare" })}>Compare</button>
      <button type="button" onClick=${() => change({ picked: [] })}>Clear</button>
    </section>`;
}

function keyed(event, { view, byKey, change }) {
  if (isTyping(event) || document.querySelector("dialog[open]")) return;
  if (event.key === "C" && view.picked.length >= FEWEST) change({ show: "compare" });
  else if (event.key === "c") {
    const place = document.activeElement?.closest?.('[role="gridcell"]');
    const key = place ? place.querySelector("[data-key]")?.dataset.key : view.open;
    if (!byKey.has(key)) return;
    change({ picked: toggled(view.picked, key) });
  } else return;
  event.preventDefault();
  event.stopImmediatePropagation();
}
