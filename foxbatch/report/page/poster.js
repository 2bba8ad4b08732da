// Pictures in cells, drawn at the size at which they are seen.
//
// A browser keeps what it drew from an <img>, decoded in full: a thousand of them, which
// is half a gigabyte once somebody has scrolled through a large matrix. So a picture is
// decoded once, made small, drawn on the canvas of its cell, and let go. That takes the
// time of this thread: a few milliseconds of each frame, and the last one that came into
// sight comes first. What was scrolled past is neither loaded nor decoded.

import { html, useEffect, useRef } from "./vendor/preact-htm.js";
import { rest } from "./sight.js";

const MOST_LOADING = 8;
const BUDGET_MS = 4, BUDGET_AT_REST_MS = 12; // of a frame's 16

// `room` is how many pixels there are for it, as [width, height].
export function Poster({ url, room, label, onError }) {
  const canvas = useRef(null);
  const [width, height] = room;
  useEffect(() => easel.show({ canvas: canvas.current, url, width, height, onError }), [url, width, height]);
  return html`<canvas ref=${canvas} width="0" height="0" ...${label ? { role: "img", "aria-label": label } : { "aria-hidden": true }}></canvas>`;
}

class Easel {
  #shown = new Set();
  #wanted = new Set(); // the last one that came comes first
  #ready = [];
  #loading = 0;
  #asked = 0;
  #sharp = devicePixelRatio;

  constructor() {
    // A picture that was drawn for another magnification of the page is blurred.
    addEventListener("resize", () => {
      if (devicePixelRatio === this.#sharp) return;
      this.#sharp = devicePixelRatio;
      for (const task of this.#shown) this.#wanted.add(task);
      this.#load();
    });
  }

  // Draw what *task* says until what is returned is called.
  show(task) {
    this.#shown.add(task);
    this.#wanted.add(task);
    this.#ask();
    return () => {
      this.#shown.delete(task);
      this.#wanted.delete(task);
      task.canvas.width = 0; // what it held is let go
    };
  }

  #ask() {
    this.#asked ||= requestAnimationFrame(() => {
      this.#asked = 0;
      this.#load();
      this.#draw();
    });
  }

  #load() {
    const found = [...this.#wanted];
    // Whoever scrolls sees what came last; whoever rests reads from the top.
    if (!rest.resting) found.reverse();
    for (const task of found.slice(0, MOST_LOADING - this.#loading)) {
      this.#wanted.delete(task);
      this.#loading += 1;
      const picture = new Image();
      picture.onload = () => this.#arrived({ task, picture });
      picture.onerror = () => { this.#arrived(null); if (this.#shown.has(task)) task.onError?.(); };
      picture.src = task.url;
    }
  }

  #arrived(loaded) {
    this.#loading -= 1;
    if (loaded) this.#ready.push(loaded);
    this.#ask();
  }

  #draw() {
    const end = performance.now() + (rest.resting ? BUDGET_AT_REST_MS : BUDGET_MS);
    while (this.#ready.length && performance.now() < end) {
      const { task, picture } = this.#ready.shift();
      if (this.#shown.has(task)) this.#paint(task, picture);
    }
    if (this.#ready.length) this.#ask();
  }

  async #paint(task, picture) {
    const { canvas, width, height, onError } = task;
    const { naturalWidth: wide, naturalHeight: high } = picture;
    const scale = Math.min(1, (width * this.#sharp) / wide, (height * this.#sharp) / high);
    const size = { resizeWidth: Math.max(1, Math.round(wide * scale)), resizeHeight: Math.max(1, Math.round(high * scale)) };
    try {
      const small = await createImageBitmap(picture, { ...size, resizeQuality: "medium" });
      if (this.#shown.has(task)) {
        canvas.width = small.width;
        canvas.height = small.height;
        canvas.getContext("2d", { willReadFrequently: true }).drawImage(small, 0, 0);
      }
      small.close();
    } catch { // damaged behind its head
      onError?.();
    }
  }
}
const easel = new Easel();
