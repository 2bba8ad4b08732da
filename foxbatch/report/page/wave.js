// A sound as one sees it: how loud it is over its time, and how far it has come.

import { html, useEffect, useRef } from "./vendor/preact-htm.js";
import { player } from "./player.js";

export function Wave({ file, film, label, large, moves }) {
  const played = useRef(null);
  useEffect(() => {
    if (!file.peaks || !moves) return undefined;
    // Each frame, and past Preact: many of these may be drawn at once.
    let asked = 0;
    const show = (part) => { if (played.current) played.current.style.clipPath = `inset(0 ${100 - 100 * Math.min(1, part)}% 0 0)`; };
    const draw = () => {
      asked = requestAnimationFrame(draw);
      const element = film.current, length = element?.duration || file.duration_s;
      show(element && length ? element.currentTime / length : 0);
    };
    draw();
    return () => { cancelAnimationFrame(asked); show(0); };
  }, [moves]);
  if (!file.peaks?.length) return large ? null : html`<p class="unlit"><span aria-hidden="true">♪</span></p>`;
  const path = pathOf(file.peaks);
  // In the details and side by side, a click says from where on.
  const clicked = (event) => {
    if (!large || !film.current) return;
    event.stopPropagation();
    const box = event.currentTarget.getBoundingClientRect();
    player.hear(film.current);
    player.wind(((event.clientX - box.left) / box.width) * (film.current.duration || file.duration_s || 0));
  };
  const drawn = (ref, name) => html`
    <svg class=${name} ref=${ref} viewBox=${`0 0 ${file.peaks.length} 200`} preserveAspectRatio="none" aria-hidden="true"><path d=${path} /></svg>`;
  return html`<div class="wave" role="img" aria-label=${`${label}, waveform`} onClick=${clicked}>${drawn(null, "all-of-it")}${drawn(played, "played")}</div>`;
}

// Bars from the middle up and down; silence is a line.
export function pathOf(peaks) {
  return peaks.map((peak, index) => {
    const half = Math.max(1, (Math.min(255, Math.max(0, Number(peak) || 0)) / 255) * 92);
    return `M${index + 0.15} ${100 - half}h.7v${2 * half}h-.7z`;
  }).join("");
}
