// What part of a scroller is in sight, and whether it rests.

import { Component, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";

const RESTED_MS = 150;

// ---- Rest: what is expensive waits until nobody scrolls

class Rest {
  resting = true;
  #timer = 0;
  #listeners = new Set();

  moved() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#say(true), RESTED_MS);
    if (this.resting) this.#say(false);
  }

  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #say(resting) {
    this.resting = resting;
    for (const listener of [...this.#listeners]) listener();
  }
}
export const rest = new Rest();

// ---- A number of places for what a browser can do only so often at once

const MOST_FILMS = 40;

class Turns {
  #free = MOST_FILMS;
  #waiting = new Set();

  // Call *begin* when there is a place and the page rests; what is returned gives it back.
  ask(begin) {
    let has = false;
    const look = () => {
      if (has || !rest.resting || this.#free === 0) return;
      has = true;
      this.#free -= 1;
      this.#waiting.delete(look);
      begin();
    };
    this.#waiting.add(look);
    const stop = rest.listen(look);
    look();
    return () => {
      stop();
      this.#waiting.delete(look);
      if (!has) return;
      this.#free += 1;
      for (const other of [...this.#waiting]) other();
    };
  }
}
export const turns = new Turns();

// ---- Sight

// One watch for all: of each of hundreds of films it is asked whether it can be seen.
const watched = new Map();
const watch = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) watched.get(target)?.(isIntersecting);
});

// Tell *tell* whether *element* is in sight, now and when that changes, until what is
// returned is called.
export function watchSight(element, tell) {
  watched.set(element, tell);
  watch.observe(element);
  return () => { watched.delete(element); watch.unobserve(element); };
}

// What *see* makes of a scroller's box, again whenever that differs: a page is drawn
// anew when a row comes into sight, not with each pixel.
export function useSight(ref, see, inputs) {
  const [sight, setSight] = useState({ seen: null, text: "" });
  useLayoutEffect(() => {
    const box = ref.current;
    let asked = 0;
    const look = () => {
      asked = 0;
      const seen = see({ top: box.scrollTop, left: box.scrollLeft, width: box.clientWidth, height: box.clientHeight });
      const text = JSON.stringify(seen);
      setSight((before) => (before.text === text ? before : { seen, text }));
    };
    const ask = () => { asked ||= requestAnimationFrame(look); };
    const scrolled = () => { rest.moved(); ask(); };
    const watch = new ResizeObserver(ask);
    watch.observe(box);
    box.addEventListener("scroll", scrolled, { passive: true });
    look();
    return () => { watch.disconnect(); box.removeEventListener("scroll", scrolled); cancelAnimationFrame(asked); };
  }, inputs);
  return sight.seen;
}

// A cell that has the focus may be moved, made anew, or become another one when one
// scrolls or others come: the focus goes where it is, unless somebody took it elsewhere.
export function useHeldFocus(ref) {
  const held = useRef(false);
  useEffect(() => {
    const taken = (event) => { held.current = Boolean(event.target.closest?.('[role="gridcell"]')) && ref.current.contains(event.target); };
    addEventListener("focusin", taken);
    addEventListener("pointerdown", taken);
    return () => { removeEventListener("focusin", taken); removeEventListener("pointerdown", taken); };
  }, []);
  useLayoutEffect(() => {
    if (!held.current) return;
    const now = document.activeElement, place = ref.current.contains(now) && now.closest('[role="gridcell"]');
    if (now === document.body || (place && place.tabIndex !== 0)) focusCell(ref.current);
  });
}

// A state that can be read before it is drawn: keys may come faster than frames.
export function useAtOnce(first) {
  const [drawn, draw] = useState(first), latest = useRef(first);
  const set = useMemo(() => (next) => { latest.current = next; draw(next); }, []);
  return [drawn, set, latest];
}

// The line that has the focus and came from outside of what is drawn: it stays apart until
// the focus goes on, or its element would be made anew while somebody is on it.
export function useApart(here, first, last) {
  const apart = useRef(-1);
  if (here < first || here >= last) apart.current = here;
  else if (apart.current !== here) apart.current = -1;
  return apart.current;
}

export function focusCell(box) {
  box.querySelector('[role="gridcell"][tabindex="0"]')?.focus({ preventScroll: true });
}

// A part of the page that is drawn again only when what it is given has changed.
export class Still extends Component {
  shouldComponentUpdate(next) {
    const names = Object.keys(next);
    return names.length !== Object.keys(this.props).length || names.some((name) => next[name] !== this.props[name]);
  }

  render({ draw, ...props }) {
    return draw(props);
  }
}
