// Two pictures or films laid upon each other: parted by a line, by turns, or as their
// difference.

import { html, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.js";
import { Shown } from "./cell.js";
import { faceKey, fileOf } from "./files.js";
import { Caption, lens, useBox } from "./panes.js";
import { gestures, magnification } from "./zoom.js";

const STEP = 0.02, FAR = 0.1;

export function Laid({ gallery, cells, said, way, at, look, swiped }) {
  const glass = useRef(null);
  const box = useBox(glass);
  const [line, setLine] = useState(0.5);
  const [second, setSecond] = useState(false);
  useLayoutEffect(() => gestures(glass.current, look, (to) => swiped.current(to)), []);
  // Before the next key comes, not after the next picture; but the one that led here may
  // still be on its way.
  useLayoutEffect(() => {
    if (way !== "switch") return undefined;
    const keyed = (event) => {
      if (event.key !== "f" || event.defaultPrevented || event.target.closest?.("input, select")) return;
      event.preventDefault();
      setSecond((now) => !now);
    };
    addEventListener("keydown", keyed);
    return () => removeEventListener("keydown", keyed);
  }, [way]);
  // The line stays where it is on the screen, however close one looks.
  const top = {
    wipe: { clipPath: `inset(0 0 0 ${line * 100}%)` },
    switch: { visibility: second ? "visible" : "hidden" },
    difference: { mixBlendMode: "difference" },
  }[way];
  const Layer = ({ cell }) => {
    const file = fileOf(cell);
    return html`<div class=${`lens${magnification(at, box, file) > 2 ? " is-pixels" : ""}`} style=${lens(at)}>
      <${Shown} ...${{ gallery, cell, file }} large=${true} /></div>`;
  };
  return html`
    <figure class=${`laid is-${way}`}>
      <figcaption>
        <span class=${way === "switch" && second ? "half is-away" : "half"}><${Caption} said=${said[0]} /></span>
        ${way === "switch" && html`<button type="button" class="main" aria-keyshortcuts="f" onClick=${() => setSecond(!second)}>Flick (f)</button>
          <span class="unseen" role="status">${spoken(said[second ? 1 : 0])}</span>`}
        ${way === "difference" && html`<span class="quiet">what is equal is black</span>`}
        <span class=${way === "switch" && !second ? "half is-away" : "half"}><${Caption} said=${said[1]} /></span>
      </figcaption>
      <div class="glass is-lens" ref=${glass}>
        <div class="layer" key=${faceKey(gallery, cells[0])}>${Layer({ cell: cells[0] })}</div>
        <div class="layer" key=${faceKey(gallery, cells[1])} style=${top}>${Layer({ cell: cells[1] })}</div>
        ${way === "wipe" && html`<${Line} ...${{ line, setLine, glass, said }} />`}
      </div>
    </figure>`;
}

function Line({ line, setLine, glass, said }) {
  const to = (value) => setLine(Math.min(1, Math.max(0, value)));
  const dragged = (event) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const box = glass.current.getBoundingClientRect();
    to((event.clientX - box.left) / box.width);
  };
  const keyed = (event) => {
    const step = event.shiftKey ? FAR : STEP;
    const keys = {
      ArrowLeft: () => to(line - step), ArrowDown: () => to(line - step), ArrowRight: () => to(line + step), ArrowUp: () => to(line + step),
      PageDown: () => to(line - FAR), PageUp: () => to(line + FAR), Home: () => to(0), End: () => to(1),
    };
    if (!(event.key in keys)) return;
    keys[event.key]();
    event.preventDefault();
    event.stopPropagation();
  };
  const percent = Math.round(line * 100);
  return html`<div class="divider" role="slider" tabindex="0" aria-label="Where one ends and the other begins" aria-orientation="horizontal"
    aria-valuemin="0" aria-valuemax="100" aria-valuenow=${percent} aria-valuetext=${`${percent} % ${spoken(said[0])}`} style=${{ left: `${line * 100}%` }}
    onPointerDown=${(event) => { event.preventDefault(); event.currentTarget.focus(); event.currentTarget.setPointerCapture(event.pointerId); }}
    onPointerMove=${dragged} onKeyDown=${keyed}><span aria-hidden="true">◂▸</span></div>`;
}

function spoken(said) {
  return said.map(({ name, value }) => `${name} ${value}`.trim()).join(", ");
}
