// The bar that plays, pauses and winds all films in sight, and the keys that do.

import { html, useEffect } from "./vendor/preact-htm.js";
import { RATES, player } from "./player.js";
import { ALONE, usePlayer } from "./film.js";

const FRAME_S = 1 / 24;

export function Transport({ label = "All films in sight" }) {
  const now = usePlayer(({ playing, looping, rate, muted, time, length }) => ({ playing, looping, rate, muted, time, length }));
  useEffect(listening, []);
  const some = now.length > 0;
  return html`
    <div class="transport" role="group" aria-label=${label}>
      <button type="button" class="play" onClick=${() => player.toggle()} aria-keyshortcuts="Space" title="Play or pause all in sight (Space)">
        <span aria-hidden="true">${now.playing ? "❚❚" : "▶"}</span> ${now.playing ? "Pause" : "Play"}</button>
      <input type="range" min="0" max=${some ? now.length : 1} step="0.01" value=${now.time} disabled=${!some} aria-label="Moment"
        aria-valuetext=${`${now.time.toFixed(1)} of ${now.length.toFixed(1)} seconds`}
        onInput=${(event) => player.wind(Number(event.target.value))} />
      <output>${some ? `${now.time.toFixed(1)} of ${now.length.toFixed(1)} s` : ""}</output>
      <label><span>Speed</span><select value=${now.rate} aria-label="Speed" onChange=${(event) => player.setRate(Number(event.target.value))}>
        ${RATES.map((rate) => html`<option value=${rate} selected=${rate === now.rate}>${rate}×</option>`)}
      </select></label>
      <button type="button" aria-pressed=${now.looping} aria-keyshortcuts="l" title="Start again at the end (l)" onClick=${() => player.setLooping(!now.looping)}>Loop</button>
      <button type="button" aria-pressed=${!now.muted} aria-keyshortcuts="m" title="Sound of the one pointed at (m)" onClick=${() => player.setMuted(!now.muted)}>Sound</button>
    </div>`;
}

// There may be two bars for a moment, but a key is to be heard once.
let bars = 0;
function listening() {
  if (bars === 0) addEventListener("keydown", keyed);
  bars += 1;
  return () => {
    bars -= 1;
    if (bars === 0) removeEventListener("keydown", keyed);
  };
}

function keyed(event) {
  const into = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (into.closest?.("input:not([type=checkbox]), select, textarea, video, audio, [contenteditable], summary")) return;
  // Space presses a button that has the focus; other keys mean nothing to it.
  if (event.key === " " && into.closest?.("button, a, input")) return;
  const dialog = document.querySelector("dialog[open]");
  if (dialog && !dialog.contains(document.querySelector("dialog[open] .transport"))) return;
  const keys = {
    " ": () => player.toggle(),
    k: () => into.closest?.('[role="gridcell"], .details')?.querySelector(".film")?.dispatchEvent(new Event(ALONE)),
    m: () => player.setMuted(!player.muted),
    l: () => player.setLooping(!player.looping),
    ",": () => player.step(-FRAME_S),
    ".": () => player.step(FRAME_S),
    "<": () => player.setRate(RATES[Math.max(0, RATES.indexOf(player.rate) - 1)]),
    ">": () => player.setRate(RATES[Math.min(RATES.length - 1, RATES.indexOf(player.rate) + 1)]),
  };
  if (!(event.key in keys)) return;
  keys[event.key]();
  event.preventDefault();
}
