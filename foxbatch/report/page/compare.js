// Two to six cells side by side, over the whole window, in step.

import { html, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.js";
import { Shown, readable } from "./cell.js";
import { axesOf, captions, neighbours, waysOf } from "./comparing.js";
import { differences } from "./diff.js";
import { usePlayer } from "./film.js";
import { faceKey, facesOf, fileOf, turned } from "./files.js";
import { Stepper } from "./fronts.js";
import { Laid } from "./laid.js";
import { Caption, hearIn, lens, useBox } from "./panes.js";
import { FEWEST, MOST, toggled } from "./picks.js";
import { player } from "./player.js";
import { State } from "./state.js";
import { Transport } from "./transport.js";
import { figure, span } from "./words.js";
import { WHOLE, gestures, keyedZoom, magnification } from "./zoom.js";

const VISIBLE = ["video", "image"], TIMED = ["video", "audio"];

export function Compare({ gallery, view, byKey, change, back }) {
  const dialog = useRef(null);
  const cells = view.picked.map((key) => byKey.get(key)).filter(Boolean).slice(0, MOST);
  const [at, look] = useState(WHOLE);
  const [said, say] = useState("");
  const ways = cells.length ? waysOf(cells) : [];
  const way = (ways.find(([name]) => name === view.how) ?? [""])[0];
  const leave = (more = {}) => change({ show: back, ...more });
  const timed = cells.some((cell) => TIMED.includes(fileOf(cell)?.kind));
  useModal(dialog, timed);

  const show = (next) => change({ picked: next.map((cell) => faceKey(gallery, cell)) }, { often: true });
  // All to their next file, or one; not to one that stands there already.
  const others = (step) => cells.map((cell) => turned(cell, step));
  const other = (cell, next) => {
    const step = next === turned(cell, 1) ? 1 : -1;
    while (next !== cell && cells.includes(next)) next = turned(next, step);
    show(cells.map((one) => (one === cell ? next : one)));
  };
  const go = (axis, step) => {
    const next = neighbours(gallery, cells, axis, step);
    if (next) show(next);
    const name = gallery.axisOf.has(axis) ? axesOf(gallery, cells).find(({ id }) => id === axis)?.name : "";
    say(next || !name ? "" : `There is nothing further along ${name}.`);
  };
  // A finger leads on as arrow keys do, the other way round: it pushes away what is seen.
  const swiped = useRef(null);
  swiped.current = (way) => {
    const { rows, cols } = view;
    if (at.scale === 1) go(...{ left: [cols, 1], right: [cols, -1], up: [rows, 1], down: [rows, -1] }[way]);
  };
  function keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, audio, [role=slider]")) return;
    const { rows, cols, orows, ocols } = view, far = event.shiftKey;
    const keys = {
      ArrowLeft: () => go(far ? ocols : cols, -1), ArrowRight: () => go(far ? ocols : cols, 1),
      "{": () => show(others(-1)), "}": () => show(others(1)),
      ArrowUp: () => go(far ? orows : rows, -1), ArrowDown: () => go(far ? orows : rows, 1),
    };
    for (const [name, key] of ways) keys[key] = () => change({ how: name }, { often: true });
    if (way === "switch") delete keys.f; // there it says which of the two is seen
    const looked = keyedZoom(at, event.key);
    if (looked) look(looked);
    else if (/^[1-6]$/.test(event.key)) hearIn(dialog.current.querySelectorAll(".pane")[event.key - 1]);
    else if (event.key in keys) keys[event.key]();
    else return;
    event.preventDefault();
  }

  return html`
    <dialog class="compare" ref=${dialog} tabindex="-1" aria-label="Compare" onKeyDown=${keyed}
      onCancel=${(event) => { event.preventDefault(); leave(); }}>
      <header class="bar">
        <h2>Compare ${cells.length}</h2>
        <${Ways} ...${{ ways, way, change }} />
        <${Zoom} ...${{ at, look, cells }} />
        ${timed ? html`<${Transport} label="What is compared" />` : html`<span class="gap"></span>`}
        <button type="button" class="round" aria-label="Back to the matrix" title="Back (Esc)" onClick=${() => leave()}>✕</button>
      </header>
      ${cells.length < FEWEST ? html`<p class="waiting">Choose 2 to 6 cells to compare: with the box on a cell, or with <kbd>c</kbd> on the cell that has the focus.</p>`
        : html`<${Along} ...${{ gallery, cells, go }} />
          <p class="unseen" role="status">${said}</p>
          <${Sight} ...${{ gallery, view, cells, way, at, look, swiped, other, change, leave }} />`}
    </dialog>`;
}

// The rest of the page stands still and waits; on the way back the focus is where it was.
function useModal(dialog, plays) {
  useLayoutEffect(() => {
    const before = document.activeElement, element = dialog.current;
    element.showModal();
    element.focus();
    const stop = player.limitTo(element);
    player.wind(0);
    if (plays && !matchMedia("(prefers-reduced-motion: reduce)").matches) player.play();
    return () => {
      element.close();
      stop();
      const place = before?.isConnected && before !== document.body ? before : document.querySelector('[role="gridcell"][tabindex="0"]');
      place?.focus({ preventScroll: true });
    };
  }, []);
}

function Ways({ ways, way, change }) {
  if (ways.length < 2) return null;
  return html`<div class="tabs" role="group" aria-label="How">
    ${ways.map(([name, key, label]) => html`<button type="button" key=${name} aria-pressed=${way === name} aria-keyshortcuts=${key} title=${`${label} (${key})`}
      onClick=${() => change({ how: name }, { often: true })}>${label}</button>`)}</div>`;
}

function Zoom({ at, look, cells }) {
  if (!cells.some((cell) => VISIBLE.includes(fileOf(cell)?.kind))) return null;
  const by = (key) => () => look((now) => keyedZoom(now, key));
  return html`<div class="tabs zoom" role="group" aria-label="Zoom">
    <button type="button" aria-label="Smaller" aria-keyshortcuts="-" title="Smaller (-)" disabled=${at.scale === 1} onClick=${by("-")}>−</button>
    <button type="button" class="figure" aria-label=${`${scaleText(at)}: show all of it`} aria-keyshortcuts="0" title="All of it (0)" onClick=${by("0")}>${scaleText(at)}</button>
    <button type="button" aria-label="Larger" aria-keyshortcuts="+" title="Larger (+)" onClick=${by("+")}>+</button></div>`;
}

const scaleText = ({ scale }) => (scale === 1 ? "Fit" : `${figure(Math.round(scale * 10) / 10)}×`);

// The axes: what all have in common, and steps to the neighbours of all.
function Along({ gallery, cells, go }) {
  return html`<div class="along" role="group" aria-label="Go along an axis">
    ${axesOf(gallery, cells).map(({ id, name, same, value }) => html`
      <span key=${id} class=${same ? "axis" : "axis is-apart"}>
        <button type="button" aria-label=${`All back along ${name}`} disabled=${!neighbours(gallery, cells, id, -1)} onClick=${() => go(id, -1)}>‹</button>
        <span>${name} <b><bdi>${same ? value : "differs"}</bdi></b></span>
        <button type="button" aria-label=${`All on along ${name}`} disabled=${!neighbours(gallery, cells, id, 1)} onClick=${() => go(id, 1)}>›</button>
      </span>`)}
    <${SharedPrompt} ...${{ gallery, cells }} /></div>`;
}

function SharedPrompt({ gallery, cells }) {
  const { prompt } = cells[0];
  if (prompt === null || cells.some((cell) => cell.prompt !== prompt)) return null;
  return html`<p class="quiet shared" dir="auto" title=${gallery.prompts[prompt]}>${gallery.prompts[prompt]}</p>`;
}

// ---- What is seen

function Sight({ gallery, view, cells, way, at, look, swiped, other, change, leave }) {
  const said = captions(gallery, cells);
  const prompts = cells.every((cell) => cell.prompt === cells[0].prompt) ? [] : cells.map((cell) => gallery.prompts[cell.prompt] ?? "");
  if (way === "words") return html`<${Words} ...${{ cells, said }} />`;
  if (way) return html`<${Laid} key=${cells.map((cell) => faceKey(gallery, cell)).join()} ...${{ gallery, cells, said, way, at, look, swiped }} />`;
  return html`<div class=${`panes of-${cells.length}`}>
    ${cells.map((cell, index) => html`<${Panel} key=${faceKey(gallery, cell)} ...${{ gallery, cell, at, look, swiped, other, said: said[index], prompt: prompts[index], cells }}
      onOpen=${() => leave({ open: faceKey(gallery, cell) })}
      onRemove=${() => change({ picked: toggled(view.picked, faceKey(gallery, cell)) })} />`)}</div>`;
}

function Panel({ gallery, cell, cells, said, prompt, at, look, swiped, other, onOpen, onRemove }) {
  const panel = useRef(null), glass = useRef(null);
  const file = fileOf(cell), visible = VISIBLE.includes(file?.kind);
  const box = useBox(glass);
  useLayoutEffect(() => (visible ? gestures(glass.current, look, (way) => swiped.current(way)) : undefined), [visible]);
  const heard = usePlayer((now) => now.heard !== null && panel.current?.contains(now.heard));
  const pixels = visible && magnification(at, box, file) > 2;
  const facts = differing(cells, cell);
  return html`
    <figure class=${`pane${heard && file?.sound ? " is-heard" : ""}`} ref=${panel}>
      <figcaption>
        <${Caption} said=${said} />
        <span class="ends">
          ${facesOf(cell).some((one) => !cells.includes(one)) && html`<${Stepper} cell=${cell} show=${(next) => other(cell, next)} alone />`}
          ${file?.sound && html`<button type="button" aria-pressed=${heard} title="Hear this one" onClick=${() => (heard ? player.setMuted(true) : hearIn(panel.current))}>Sound</button>`}
          <button type="button" title="Open its details" aria-label=${`Details of ${cell.name}`} onClick=${onOpen}>Details</button>
          <button type="button" title="Leave it out" aria-label=${`Leave out ${cell.name}`} onClick=${onRemove}>✕</button></span>
        ${(facts || prompt) && html`<span class="under quiet" title=${prompt}>${facts && html`<span class="facts">${facts}</span>`}<bdi>${prompt}</bdi></span>`}
      </figcaption>
      <div class=${`glass${visible ? " is-lens" : ""}`} ref=${glass}>
        <div class=${`lens${pixels ? " is-pixels" : ""}`} style=${visible ? lens(at) : undefined}>
          ${file ? html`<${Shown} ...${{ gallery, cell, file }} large=${true} />` : html`<${State} cell=${cell} />`}</div>
      </div>
    </figure>`;
}

// Figures of a cell in which it differs from those beside it.
function differing(cells, cell) {
  const facts = [(one) => span(one.latency_s), (one) => `${figure(one.credits)} credits`, (one) => (fileOf(one)?.width ? `${fileOf(one).width} × ${fileOf(one).height}` : "–")];
  return facts.filter((fact) => new Set(cells.map(fact)).size > 1).map((fact) => fact(cell)).filter((text) => !text.startsWith("–")).join(" · ");
}

// Two texts in one: what only one of them has is marked.
function Words({ cells, said }) {
  const files = cells.map(fileOf);
  const parts = differences(...files.map(readable));
  const marks = { a: "del", b: "ins" };
  const kind = files.every((file) => file.kind === "json") ? "code" : "prose";
  return html`<div class="words">
    <p class="line"><span>only in <del><${Caption} said=${said[0]} /></del></span><span>only in <ins><${Caption} said=${said[1]} /></ins></span>
      ${files.some((file) => file.more) && html`<span class="quiet">of the beginnings of these files</span>`}</p>
    <pre class=${`text is-${kind}`} dir="auto" tabindex="0">${parts.map(({ text, side }) => (side ? html`<${marks[side]}>${text}<//>` : text))}</pre></div>`;
}
