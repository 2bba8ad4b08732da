// What panels side by side and pictures laid upon each other have in common.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { player } from "./player.js";

export function lens({ scale, x, y }) {
  return { transform: `translate(${x * 100}%, ${y * 100}%) scale(${scale})` };
}

export function Caption({ said }) {
  return html`<span class="said">${said.map(({ name, value }) => html`<span key=${name}>${name && html`<span class="quiet">${name} </span>`}<b><bdi>${value}</bdi></b></span>`)}</span>`;
}

// Let the film or sound in a part of the page be the one that is heard.
export function hearIn(panel) {
  const film = panel?.querySelector("video, audio");
  if (!film) return;
  player.hear(film);
  player.setMuted(false);
}

export function useBox(ref) {
  const [box, setBox] = useState(null);
  useEffect(() => {
    const watch = new ResizeObserver(([{ contentRect: { width, height } }]) => setBox({ width, height }));
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  return box;
}
