// A film or sound in its frame: a picture of it until it is to be played.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { player } from "./player.js";
import { useTurn } from "./sight.js";
import { Wave } from "./wave.js";
import { span } from "./words.js";

export const ALONE = "play-alone"; // told to a film that a key means

// What the player says now; asked again whenever that changes.
export function usePlayer(read) {
  const [said, setSaid] = useState(() => read(player));
  useEffect(() => {
    const look = () => setSaid(read(player));
    look();
    return player.listen(look);
  }, []);
  return said;
}

export function Film({ url, poster, file, large, label }) {
  const frame = useRef(null), film = useRef(null);
  const [broken, setBroken] = useState("");
  const inSight = useInSight(frame);
  const alone = useAlone(frame, film);
  const running = usePlayer((now) => (now.playing || now.time > 0) && now.admits(frame.current));
  const isSound = file.kind === "audio";
  // Without a poster a film itself shows its first picture; but a browser can have only
  // so many at once.
  const turn = useTurn(inSight && !large && !broken && (running || (poster === null && !isSound)));
  const follows = inSight && running && !broken && (turn || large);
  useEffect(() => {
    if (follows && film.current) return player.join(film.current, file.duration_s ?? 0);
  }, [follows]);
  useEffect(() => {
    // One plays alone, unless all do.
    const element = film.current;
    if (!alone || follows || !element) return undefined;
    element.muted = !player.sounds(element);
    element.play().catch(() => {});
    return () => { element.pause(); element.currentTime = 0; element.muted = true; };
  }, [alone, follows]);
  const heard = usePlayer((now) => now.heard !== null && now.heard === film.current);
  const wanted = !broken && (alone || follows || large || turn);
  const shared = {
    ref: film, src: inSight || large ? url : undefined, muted: true, loop: true, "aria-label": label,
    preload: poster === null || large ? "metadata" : "auto", onError: () => setBroken(whyBroken(film.current)),
  };
  return html`
    <div class=${`film${heard && file.sound ? " is-heard" : ""}`} ref=${frame}>
      ${poster && html`<img src=${poster} alt="" decoding="async" draggable=${false} onError=${hide} />`}
      ${!poster && !isSound && !wanted && !broken && html`<p class="unlit"><span aria-hidden="true">▶</span> ${span(file.duration_s)}</p>`}
      ${isSound && !broken && html`<${Wave} ...${{ file, film, label, large }} moves=${alone || follows} />`}
      ${wanted && (isSound ? html`<audio ...${shared} controls=${large && !file.peaks} />` : html`<video ...${shared} playsinline />`)}
      ${broken && html`<p class="broken"><b>This file cannot be played</b><span>${broken}</span></p>`}
    </div>`;
}

function hide(event) {
  event.target.hidden = true;
}

// What a browser says about a file is meant for its makers.
function whyBroken(element) {
  const found = element?.error?.code;
  if (found === 3) return "It is damaged.";
  return found === 2 ? "It could not be read to its end." : "It is missing, damaged, or of a kind that this browser does not know.";
}

function useInSight(frame) {
  const [inSight, setInSight] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver((seen) => setInSight(seen[seen.length - 1].isIntersecting));
    watch.observe(frame.current);
    return () => watch.disconnect();
  }, []);
  return inSight;
}

// Whether one is to play alone: pointed at, or asked to by a key until the focus leaves.
// Where all play, it is the one that sounds.
function useAlone(frame, film) {
  const [hovered, setHovered] = useState(false);
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    const element = frame.current, place = element.closest('[role="gridcell"], .details') ?? element;
    // Side by side they play together or not at all, and a click says which one sounds.
    if (element.closest(".glass, .blind")) return undefined;
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    const hear = () => { if (film.current) player.hear(film.current); };
    const told = [
      [element, "pointerenter", (event) => { if (event.pointerType === "mouse" && !still.matches) setHovered(true); hear(); }],
      [element, "pointerleave", () => setHovered(false)],
      [element, ALONE, () => setAsked((now) => !now)],
      [place, "focusin", hear],
      [place, "focusout", (event) => { if (!place.contains(event.relatedTarget)) setAsked(false); }],
    ];
    for (const [target, name, listener] of told) target.addEventListener(name, listener);
    return () => { for (const [target, name, listener] of told) target.removeEventListener(name, listener); };
  }, []);
  return hovered || asked;
}
