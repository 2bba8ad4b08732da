// Which file of a job is in front, until the page is closed: chosen on its cell, in the
// details or by an address, and the same wherever the job is shown.

import { html, useLayoutEffect, useState } from "./vendor/preact-htm.js";
import { faceKey, faced, frontOf, numberOf, turned } from "./files.js";
import { keyOf } from "./gallery.js";
import { isTyping, meant } from "./rate.js";
import { useRatings } from "./ratings.js";

class Fronts {
  #chosen = new Map();
  #listeners = new Set();

  // The cell as it is shown now.
  of(gallery, cell) {
    return faced(cell, this.#chosen.get(keyOf(gallery, cell)) ?? 0);
  }

  show(gallery, cell) {
    if (this.of(gallery, cell) === cell) return;
    this.#chosen.set(keyOf(gallery, cell), frontOf(cell));
    for (const listener of [...this.#listeners]) listener(cell);
  }

  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
export const fronts = new Fronts();

// Keys that turn the cell that has the focus or is open; and what is open says in the
// address which of its files is in front.
export function useFrontKeys(gallery, names, view, change) {
  const opened = names.get(view.open);
  useLayoutEffect(() => { if (opened) fronts.show(gallery, opened); }, [view.open]);
  useLayoutEffect(() => fronts.listen((cell) => {
    if (opened && keyOf(gallery, opened) === keyOf(gallery, cell)) change({ open: faceKey(gallery, cell) }, { often: true });
  }), [opened]);
  useLayoutEffect(() => {
    const keyed = (event) => {
      const step = { "{": -1, "}": 1 }[event.key], cell = step && names.get(meant(view));
      if (!cell || isTyping(event) || document.querySelector("dialog[open]")) return;
      fronts.show(gallery, turned(cell, step));
      event.preventDefault();
    };
    addEventListener("keydown", keyed);
    return () => removeEventListener("keydown", keyed);
  }, [names, view.open]);
}

export function useFront(gallery, cell) {
  const [, setSeen] = useState(cell);
  useLayoutEffect(() => fronts.listen(() => setSeen(fronts.of(gallery, cell))), [cell]);
  return fronts.of(gallery, cell);
}

// How many files there are, and the way to the others. *show* is told the cell that
// has another one in front. *alone*, it is no part of a cell, and reached with Tab.
export function Stepper({ cell, show, alone = false }) {
  const picked = useRatings((now) => now.pickedElsewhere(cell));
  if (cell.files.length < 2) return null;
  const to = (step) => (event) => {
    event.stopPropagation();
    show(turned(cell, step));
    event.currentTarget.closest('[role="gridcell"]')?.focus();
  };
  return html`<span class="stepper" role="group" aria-label=${`Files of ${cell.name}`}>
    <button type="button" tabindex=${alone ? 0 : -1} aria-label="The file before" title="The file before ({)" onClick=${to(-1)}>‹</button>
    <span class="number">${numberOf(cell)}${picked && !alone && html` <b class="mark is-pick" title="Another one is picked">✓<span class="unseen"> another one is picked</span></b>`}</span>
    <button type="button" tabindex=${alone ? 0 : -1} aria-label="The next file" title="The next file (})" onClick=${to(1)}>›</button></span>`;
}
