// A film or sound in its frame: a picture of it until it is to be played.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { player } from "./player.js";
import { Poster } from "./poster.js";
import { turns, watchSight } from "./sight.js";
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

export function Film({ url, poster, file, room, large, label }) {
  const frame = useRef(null), film = useRef(null);
  // A cell may become another one: what is known of a film is kept with its address.
  const [failed, setFailed] = useState({ url: "", why: "" });
  const broken = failed.url === url ? failed.why : "";
  const isSound = file.kind === "audio";
  const { inSight, follows, alone, turn, heard } = useCue(frame, film, { url, large, broken, still: poster !== null || isSound });
  useEffect(() => {
    if (follows && film.current) return player.join(film.current, file.duration_s ?? 0);
  }, [follows, url]);
  useEffect(() => {
    // One plays alone, unless all do.
    const element = film.current;
    if (!alone || follows || !element) return undefined;
    element.muted = !player.sounds(element);
    element.play().catch(() => {});
    return () => { element.pause(); element.currentTime = 0; element.muted = true; };
  }, [alone, follows, url]);
  const wanted = !broken && (alone || follows || large || turn);
  useLetGo(film, wanted, url);
  const shared = {
    key: url, ref: film, src: inSight || large ? url : undefined, muted: true, loop: true, "aria-label": label,
    preload: poster === null || large ? "metadata" : "auto", onError: () => setFailed({ url, why: whyBroken(film.current) }),
  };
  return html`
    <div class=${`film${heard && file.sound ? " is-heard" : ""}`} ref=${frame}>
      ${poster && (large ? html`<img src=${poster} alt="" decoding="async" draggable=${false} onError=${hide} />` : html`<${Poster} url=${poster} room=${room} />`)}
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

// A film that leaves the page keeps its decoder until it is collected as garbage, unless
// it is told to let go.
function useLetGo(film, wanted, url) {
  useEffect(() => {
    const element = film.current;
    if (!wanted || !element) return undefined;
    return () => { element.removeAttribute("src"); element.load(); };
  }, [wanted, url]);
}

const AT_REST = { inSight: false, follows: false, alone: false, turn: false, heard: false };

// Whether a film moves, and with whom: all play and it is in sight, or it is pointed at,
// or a key asks for it until the focus leaves. `turn`: it may be loaded beside others.
// Nothing is drawn anew while films come and go that stand still.
function useCue(frame, film, { url, large, broken, still }) {
  const [cue, setCue] = useState(AT_REST);
  const change = useRef(null);
  // Once for all that the cell becomes: listeners are dear.
  useEffect(() => told(frame.current, film, (changes) => change.current(changes)), []);
  useEffect(() => {
    const element = frame.current;
    const now = { inSight: false, hovered: false, asked: false, turn: null };
    function look() {
      const running = (player.playing || player.time > 0) && player.admits(element);
      takeTurn(now, now.inSight && !large && !broken && (running || !still), look);
      const alone = now.hovered || now.asked, turn = now.turn?.has ?? false;
      const follows = now.inSight && running && !broken && (turn || Boolean(large));
      const inSight = now.inSight && (alone || follows || turn);
      const heard = player.heard !== null && player.heard === film.current;
      setCue((before) => kept(before, { inSight, follows, alone, turn, heard }));
    }
    const stops = [
      player.listen(look),
      watchSight(element, (seen) => { now.inSight = seen; look(); }),
    ];
    change.current = (changes) => { Object.assign(now, changes(now)); look(); };
    look();
    return () => {
      for (const stop of stops) stop();
      takeTurn(now, false, look);
    };
  }, [url, large, broken, still]);
  return cue;
}

// The same object where nothing differs: then nothing is drawn anew.
function kept(before, after) {
  return Object.keys(after).every((name) => after[name] === before[name]) ? before : after;
}

function takeTurn(now, wanted, look) {
  if (wanted && now.turn === null) {
    const turn = { has: false };
    now.turn = turn;
    turn.giveBack = turns.ask(() => {
      turn.has = true;
      if (turn.giveBack) look(); // else it was at once, and whoever asked looks
    });
  } else if (!wanted && now.turn !== null) {
    const { giveBack } = now.turn;
    now.turn = null;
    giveBack();
  }
}

// What people do to one film; returns how to stop listening.
function told(element, film, change) {
  // Side by side they play together or not at all, and a click says which one sounds.
  if (element.closest(".glass, .blind")) return undefined;
  const place = element.closest('[role="gridcell"], .details') ?? element;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const hear = () => { if (film.current) player.hear(film.current); };
  const pointed = (event) => {
    if (event.pointerType === "mouse" && !still.matches) change(() => ({ hovered: true }));
    hear(); // where all play, it is the one that sounds
  };
  const listeners = [
    [element, "pointerenter", pointed],
    [element, "pointerleave", () => change(() => ({ hovered: false }))],
    [element, ALONE, () => change(({ asked }) => ({ asked: !asked }))],
    [place, "focusin", hear],
    [place, "focusout", (event) => { if (!place.contains(event.relatedTarget)) change(() => ({ asked: false })); }],
  ];
  for (const [target, name, listener] of listeners) target.addEventListener(name, listener);
  return () => { for (const [target, name, listener] of listeners) target.removeEventListener(name, listener); };
}
