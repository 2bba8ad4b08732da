// All keys of the page, in a window that `?` opens.

import { html, useEffect, useRef } from "./vendor/preact-htm.js";
import { isTyping } from "./rate.js";

const KEYS = [
  ["Move", [["← ↑ → ↓", "to the next cell"], ["Home, End", "to the first and last of a row, with Ctrl of all"],
    ["PgUp, PgDn", "by a screen"], ["Enter", "open the details"], ["Esc", "close what is open"],
    ["[ and ]", "the other jobs in this place"], ["{ and }", "the other files of a job"]]],
  ["Views", [["g", "grid"], ["w", "wall"], ["v", "vote"], ["h", "charts"], ["/", "search"]]],
  ["Play all films in sight", [["Space", "play or pause"], [", and .", "one picture back and on"], ["m", "sound on or off"],
    ["l", "start again at the end, or not"], ["< and >", "slower and faster"], ["k", "play only the one that has the focus"]]],
  ["Compare", [["c", "choose the cell that has the focus"], ["Shift C", "side by side"], ["← ↑ → ↓", "all to their neighbours; with Shift along the outer axes"],
    ["+ - 0", "closer, and back"], ["s w f d", "side by side, wipe, flick, difference"], ["1 to 6", "which one is heard"], ["Esc", "back"]]],
  ["Rate the cell that has the focus", [["1 to 5", "stars"], ["0", "no stars"], ["p", "pick, or take that back"],
    ["x", "reject, or take that back"], ["n", "note"], ["t", "tags"]]],
  ["Vote blind", [["←", "the left one is better"], ["→", "the right one is better"], ["↓", "both are equal"],
    ["↑", "neither is good"], ["u", "take the last vote back"]]],
  ["Search", [["axis=value", "one value of an axis; axis=va* for all that begin so"], ["-word", "not with this word"], ["\"red fox\"", "words in this order"], ["is:picked", "also is:rejected, is:rated, is:unrated"],
    ["stars>=4", "at least so many"], ["tag:hero", "one tag"]]],
];

export function Help() {
  const window_ = useRef(null);
  const open = () => window_.current.showModal();
  useEffect(() => {
    const keyed = (event) => {
      if (event.key !== "?" || isTyping(event) || document.querySelector("dialog[open]")) return;
      open();
      event.preventDefault();
    };
    addEventListener("keydown", keyed);
    return () => removeEventListener("keydown", keyed);
  }, []);
  return html`
    <button type="button" class="round" aria-label="Keys" aria-keyshortcuts="?" title="Keys (?)" onClick=${open}>?</button>
    <dialog class="help" ref=${window_} aria-label="Keys">
      <form method="dialog"><h2>Keys</h2><button aria-label="Close the list of keys">✕</button></form>
      <div class="columns">${KEYS.map(([title, keys]) => html`
        <section><h3>${title}</h3>
          <dl>${keys.map(([key, does]) => html`<dt><kbd>${key}</kbd></dt><dd>${does}</dd>`)}</dl></section>`)}</div>
    </dialog>`;
}
