// What is looked at, and how: axes, filters, search, order, size.

import { html, useEffect, useRef } from "./vendor/preact-htm.js";
import { axisLabel, valueLabel } from "./gallery.js";
import { freeAxes } from "./view.js";
import { ORDER_NAMES } from "./arrange.js";
import { Badge, SIGNS } from "./state.js";
import { Menu } from "./menu.js";
import { useRatings } from "./ratings.js";

const PLACES = [["rows", "Rows"], ["cols", "Columns"], ["orows", "Outer rows"], ["ocols", "Outer columns"]];
const SHOWN = [["grid", "Grid", "g"], ["wall", "Wall", "w"], ["vote", "Vote", "v"], ["charts", "Charts", "h"]];
const SIZE_NAMES = [["s", "small"], ["m", "medium"], ["l", "large"]];

export function Toolbar({ gallery, view, change, count }) {
  const search = useRef(null);
  useViewKeys(change, search);
  const isGrid = view.show === "grid";
  return html`
    <form class="toolbar" role="search" onSubmit=${(event) => event.preventDefault()}>
      <div class="tabs" role="group" aria-label="What to show">
        ${SHOWN.map(([name, label, key]) => html`<button type="button" aria-pressed=${view.show === name} aria-keyshortcuts=${key}
          title=${`${label} (${key})`} onClick=${() => change({ show: name })}>${label}</button>`)}
      </div>
      <input id="search" type="search" ref=${search} placeholder="Search: words, look=fog, -rain" aria-label="Search" aria-keyshortcuts="/"
        title="Words of prompts and names, axis=value, and -word to leave out. Press / to come here."
        autocomplete="off" spellcheck=${false} value=${view.q}
        onKeyDown=${(event) => { if (event.key === "Escape" && !view.q) event.target.blur(); }}
        onInput=${(event) => change({ q: event.target.value }, { often: true })} />
      <p class="quiet count" role="status">${howMany(count, gallery.cells.length)}</p>
      <div class="line tools">
        ${isGrid && html`<${Axes} ...${{ gallery, view, change }} />`}
        <${Filter} ...${{ gallery, view, change }} />
        ${["grid", "wall"].includes(view.show) && html`
          <${Select} label="Order" value=${view.sort} values=${ORDER_NAMES} onChange=${(sort) => change({ sort })} />
          <${Select} label="Size" value=${view.size} values=${SIZE_NAMES} onChange=${(size) => change({ size })} />`}
      </div>
      <${Chips} ...${{ gallery, view, change }} />
    </form>`;
}

const number = new Intl.NumberFormat("en");

function howMany(count, all) {
  const jobs = `${number.format(all)} ${all === 1 ? "job" : "jobs"}`;
  return count === all ? jobs : `${number.format(count)} of ${jobs}`;
}

function Select({ label, value, values, onChange }) {
  return html`<label><span aria-hidden="true">${label}</span><select aria-label=${label} value=${value} onChange=${(event) => onChange(event.target.value)}>
    ${values.map(([name, said]) => html`<option key=${name} value=${name} selected=${String(name) === String(value)}>${said}</option>`)}
  </select></label>`;
}

// ---- Which axis goes where

function Axes({ gallery, view, change }) {
  const axes = gallery.axes.filter((axis) => axis.values.length > 1);
  const names = [["", "–"], ...axes.map((axis) => [axis.id, axisLabel(axis.id)])];
  const summary = [[view.orows, view.rows], [view.ocols, view.cols]]
    .map((pair) => pair.filter(Boolean).map(axisLabel).join(" / ")).filter(Boolean).join(" × ");
  const free = freeAxes(gallery, view);
  const swapped = { rows: view.cols, cols: view.rows, orows: view.ocols, ocols: view.orows };
  return html`
    <${Menu} label="Axes" summary=${summary}>
      ${PLACES.map(([name, label]) => html`<${Select} key=${name} label=${label} value=${view[name]} values=${names}
        onChange=${(axis) => change(placed(view, name, axis))} />`)}
      <button type="button" onClick=${() => change(swapped)}>Swap rows and columns</button>
      ${free.length > 0 && html`<h2>The others</h2>
        ${free.map(({ axis }) => html`<${Fixed} key=${axis.id} ...${{ axis, view, change }} />`)}`}
    <//>`;
}

function Fixed({ axis, view, change }) {
  const values = [["", "all"], ...axis.values.map((value, index) => [index, valueLabel(value)])];
  return html`<${Select} label=${axisLabel(axis.id)} value=${view.fix[axis.id] ?? ""} values=${values}
    onChange=${(value) => change({ fix: fixed(view.fix, axis.id, value) })} />`;
}

// An axis is in one place: where it was, the other one goes.
function placed(view, name, axis) {
  const before = PLACES.map(([place]) => place).find((place) => place !== name && view[place] === axis);
  return axis && before ? { [name]: axis, [before]: view[name] } : { [name]: axis };
}

function fixed(fix, axis, value) {
  const { [axis]: _, ...rest } = fix;
  return value === "" ? rest : { ...rest, [axis]: Number(value) };
}

// ---- Filters

const RATED = [
  ["", "all"], ["picked", "picked"], ["rejected", "rejected"], ["rated", "rated by me"], ["unrated", "not rated by me"],
  ...[5, 4, 3, 2].map((stars) => [`stars>=${stars}`, stars === 5 ? "5 stars" : `${stars} stars or more`]),
];

function Filter({ gallery, view, change }) {
  const phases = counted(gallery.cells, (cell) => cell.phase, Object.keys(SIGNS));
  const models = counted(gallery.cells, (cell) => cell.model);
  const axes = gallery.axes.filter((axis) => axis.values.length > 1 && axis.id !== "model");
  const tags = useRatings((now) => now.tags);
  const rated = [...RATED, ...tags.map((tag) => [`tag:${tag}`, `tag ${tag}`])];
  return html`
    <${Menu} label="Filter">
      <fieldset><legend>Status</legend>
        ${[...phases].map(([phase, count]) => html`<${Check} key=${phase} name="phase" value=${phase} ...${{ view, change }}>
          <${Badge} phase=${phase} /> <span class="quiet">${count}</span><//>`)}
      </fieldset>
      ${models.size > 1 && html`<fieldset><legend>Model</legend>
        ${[...models].map(([model, count]) => html`<${Check} key=${model} name="model" value=${model} ...${{ view, change }}>
          <bdi>${model}</bdi> <span class="quiet">${count}</span><//>`)}
      </fieldset>`}
      <fieldset><legend>Ratings</legend>
        <${Select} label="Show" value=${view.rated} values=${rated} onChange=${(value) => change({ rated: value })} /></fieldset>
      ${axes.length > 0 && html`<fieldset><legend>One value of</legend>
        ${axes.map((axis) => html`<${Fixed} key=${axis.id} ...${{ axis, view, change }} />`)}</fieldset>`}
    <//>`;
}

function Check({ name, value, view, change, children }) {
  const chosen = view[name];
  const toggle = () => change({ [name]: chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value] });
  return html`<label class="check"><input type="checkbox" checked=${chosen.includes(value)} onChange=${toggle} />${children}</label>`;
}

// What is filtered by, each with a button that ends it.
function Chips({ gallery, view, change }) {
  const without = (name, value) => () => change({ [name]: view[name].filter((one) => one !== value) });
  const chips = [
    ...view.phase.map((phase) => [`status ${phase}`, without("phase", phase)]),
    ...view.model.map((model) => [`model ${model}`, without("model", model)]),
    ...Object.entries(view.fix).map(([id, index]) => [
      `${axisLabel(id)} = ${valueLabel(gallery.axes[gallery.axisOf.get(id)].values[index])}`,
      () => change({ fix: fixed(view.fix, id, "") })]),
    ...(view.rated ? [[(RATED.find(([name]) => name === view.rated) ?? ["", view.rated])[1], () => change({ rated: "" })]] : []),
  ];
  if (chips.length === 0) return null;
  const all = { phase: [], model: [], fix: {}, rated: "", q: "" };
  return html`<ul class="chips" aria-label="Filters">
    ${chips.map(([label, end]) => html`<li key=${label}><button type="button" class="chip" title=${label} aria-label=${`Show not only ${label}`} onClick=${end}>
      <bdi>${label}</bdi><span aria-hidden="true">✕</span></button></li>`)}
    <li><button type="button" class="link" onClick=${() => change(all)}>Clear all</button></li>
  </ul>`;
}

// How often each value occurs; those of *order* come first, in that order.
function counted(cells, key, order = []) {
  const found = new Map(order.map((one) => [one, 0]));
  for (const cell of cells) found.set(key(cell), (found.get(key(cell)) ?? 0) + 1);
  return new Map([...found].filter(([, count]) => count > 0));
}

// ---- Keys

// Those of the comparison are its own.
const VIEWS = { g: "grid", w: "wall", v: "vote", h: "charts" };

function useViewKeys(change, search) {
  useEffect(() => {
    const keyed = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (document.querySelector("dialog[open]")) return;
      if (event.target.closest?.("input:not([type=range]):not([type=checkbox]), select, textarea, [contenteditable]")) return;
      if (event.key === "/") {
        search.current.focus();
        search.current.select();
      } else if (event.key in VIEWS) change({ show: VIEWS[event.key] });
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", keyed);
    return () => removeEventListener("keydown", keyed);
  }, []);
}
