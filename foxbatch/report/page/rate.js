// Rating with the mouse in the details, and with keys on the cell that has the focus.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.js";
import { numberOf } from "./files.js";
import { inWords, ratings, useRatings } from "./ratings.js";

const STARS = [1, 2, 3, 4, 5];

// What this person thinks of a cell, and what others do.
export function Rate({ cell }) {
  const found = useRatings((now) => now.of(cell));
  const problem = useRatings((now) => now.problem);
  const mine = ratings.mine(cell), file = numberOf(cell);
  const others = (found?.all ?? []).filter(({ who }) => who !== ratings.me);
  const marked = (mark) => ratings.rate(cell, { mark: mine.mark === mark ? "" : mark });
  return html`
    <section class="rate" aria-label=${file ? `Your rating of file ${file}` : "Your rating"}>
      ${file && html`<p class="quiet">Your rating of file ${file}</p>`}
      <div class="line">
        <div role="group" aria-label="Stars" class="stars">
          ${STARS.map((count) => html`
            <button type="button" aria-pressed=${mine.stars === count} aria-label=${count === 1 ? "1 star" : `${count} stars`} aria-keyshortcuts=${count}
              class=${mine.stars >= count ? "is-full" : ""} onClick=${() => ratings.rate(cell, { stars: mine.stars === count ? 0 : count })}>★</button>`)}
        </div>
        <button type="button" aria-pressed=${mine.mark === "pick"} aria-keyshortcuts="p" onClick=${() => marked("pick")}>Pick</button>
        <button type="button" aria-pressed=${mine.mark === "reject"} aria-keyshortcuts="x" onClick=${() => marked("reject")}>Reject</button>
      </div>
      <label>Tags<${Written} value=${mine.tags.join(", ")} placeholder="hero, too dark" most=${2000} write=${(text) => ratings.rate(cell, { tags: asTags(text) })} /></label>
      <label>Note<${Written} tall value=${mine.note} most=${4000} write=${(note) => ratings.rate(cell, { note })} /></label>
      ${others.map((one) => html`<p class="quiet said" dir="auto">${inWords(one)}</p>`)}
      ${problem && html`<p class="warning" role="alert">${problem}</p>`}
    </section>`;
}

// A text that is taken when the person has done with it, not with every letter.
function Written({ value, write, tall, most, ...more }) {
  const field = useRef(null);
  useLayoutEffect(() => { if (field.current !== document.activeElement) field.current.value = value; }, [value]);
  const took = () => { if (field.current.value.trim() !== value) write(field.current.value.trim()); };
  const keyed = (event) => { if (event.key === "Enter" && (!tall || event.ctrlKey)) { event.preventDefault(); took(); } };
  const shared = { ref: field, maxlength: most, dir: "auto", onBlur: took, onKeyDown: keyed, ...more };
  return tall ? html`<textarea rows="2" ...${shared}></textarea>` : html`<input ...${shared} />`;
}

export function asTags(text) {
  const tags = text.split(/[,;\n]/).map((tag) => tag.trim().slice(0, 80)).filter(Boolean);
  return [...new Set(tags)].slice(0, 50);
}

// ---- Keys

// The key of the cell that a keyboard means: the one that has the focus, or is open.
export function meant(view) {
  const focused = document.activeElement?.closest('[role="gridcell"], figure.cell');
  return focused?.querySelector("[data-key]")?.dataset.key ?? view.open;
}

export function isTyping(event) {
  const into = event.target.closest?.("input:not([type=range]):not([type=checkbox]), select, textarea, [contenteditable]");
  return Boolean(into) || event.ctrlKey || event.metaKey || event.altKey;
}

// Listens for keys that rate, and asks for a note or tags in a window of its own.
export function RatingKeys({ byKey, view }) {
  const [asked, setAsked] = useState(null);
  const [said, setSaid] = useState("");
  const turn = useRef(0);
  // Before the next key comes, not after the next picture: so it is in all that follows.
  useLayoutEffect(() => {
    const keyed = (event) => {
      const cell = byKey.get(meant(view));
      if (isTyping(event) || event.repeat || !cell || document.querySelector("dialog[open]")) return;
      const told = pressed(event.key, cell, (what) => setAsked({ what, cell, turn: (turn.current += 1) }));
      if (told === undefined) return;
      event.preventDefault();
      setSaid(told ? `${called(cell)}: ${told}` : "");
    };
    addEventListener("keydown", keyed);
    return () => removeEventListener("keydown", keyed);
  }, [byKey, view.open]);
  return html`
    <p class="unseen" role="status">${said}</p>
    ${asked && html`<${Ask} key=${asked.turn} ...${asked} onDone=${() => setAsked(null)} />`}`;
}

const called = (cell) => [cell.name, numberOf(cell)].filter(Boolean).join(", file ");

// Do what a key means for a cell; return it in words, undefined where it means nothing.
function pressed(key, cell, ask) {
  const mine = ratings.mine(cell);
  const toggled = (mark, on, off) => {
    ratings.rate(cell, { mark: mine.mark === mark ? "" : mark });
    return mine.mark === mark ? off : on;
  };
  if (/^[0-5]$/.test(key)) {
    ratings.rate(cell, { stars: Number(key) });
    return key === "0" ? "no stars" : `${key} of 5 stars`;
  }
  if (key === "p") return toggled("pick", "picked", "no longer picked");
  if (key === "x") return toggled("reject", "rejected", "no longer rejected");
  if (key === "n" || key === "t") {
    ask(key === "n" ? "note" : "tags");
    return "";
  }
  return undefined;
}

function Ask({ what, cell, onDone }) {
  const window_ = useRef(null), field = useRef(null), kept = useRef(false);
  const mine = ratings.mine(cell);
  useLayoutEffect(() => {
    const before = document.activeElement, shown = window_.current;
    shown.showModal();
    field.current.focus();
    return () => {
      shown.close(); // or else nothing behind it could have the focus
      before?.focus?.({ preventScroll: true });
    };
  }, []);
  function done(event) {
    event.preventDefault();
    const text = field.current.value.trim();
    ratings.rate(cell, what === "note" ? { note: text } : { tags: asTags(text) });
    // At once, not with the next picture: the next key is for what has the focus then.
    kept.current = true;
    window_.current.close();
    onDone();
  }
  const keyed = (event) => { if (event.key === "Enter" && !event.shiftKey) done(event); };
  return html`
    <dialog class="ask" ref=${window_} onClose=${() => kept.current || onDone()} aria-label=${`${what === "note" ? "Note on" : "Tags of"} ${called(cell)}`}>
      <form onSubmit=${done}>
        <label><b>${what === "note" ? "Note" : "Tags, with commas between them"}</b>
          ${what === "note" ? html`<textarea ref=${field} rows="4" maxlength="4000" dir="auto" onKeyDown=${keyed}>${mine.note}</textarea>`
            : html`<input ref=${field} maxlength="2000" dir="auto" defaultValue=${mine.tags.join(", ")} />`}</label>
        <p class="quiet name">${called(cell)}</p>
        <p class="line"><button class="main">Keep</button>
          <button type="button" onClick=${() => window_.current.close()}>Cancel</button></p>
      </form>
    </dialog>`;
}
