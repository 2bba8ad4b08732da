// The matrix: rows and columns of cells, of which only those in sight exist.

import { html, useEffect, useLayoutEffect, useMemo, useRef } from "./vendor/preact-htm.js";
import { Cell } from "./cell.js";
import { SIZES } from "./view.js";
import { axisLabel, keyOf } from "./gallery.js";
import { fileOf, keysOf } from "./files.js";
import { Still, focusCell, useApart, useAtOnce, useHeldFocus, useSight } from "./sight.js";
import { why } from "./words.js";

const CAPTION = 30, GAP = 10, HEAD = 34, OUTER = 26, MARGIN = 1, ASIDE = 0, NARROW = 560;

// How big things are in a box of so many pixels.
function measures(view, box, cols) {
  const narrow = box.width < NARROW;
  const outer = view.orows ? (narrow ? 64 : 104) : 0;
  const side = outer + (view.rows ? (narrow ? 92 : 150) : 26);
  // On a phone two columns are seen at once, unless cells are to be large.
  const room = box.width - side - 2 * GAP, most = narrow && cols > 1 && view.size !== "l" ? (room - GAP) / 2 : room;
  const width = Math.min(SIZES[view.size], Math.max(110, Math.floor(most)));
  return {
    outer, side, width, height: Math.round((width * 9) / 16) + CAPTION,
    head: HEAD + (view.ocols ? OUTER : 0),
  };
}

export function Grid({ gallery, view, arranged, turns, onTurn, onOpen, onPick, opened }) {
  const { rows, cols, at, hides, rowGroups, colGroups, placeOf } = arranged;
  const scroller = useRef(null);
  const sight = useSight(scroller, (box) => {
    const size = measures(view, box, cols.length), { head, side, width, height } = size;
    const down = height + GAP, across = width + GAP;
    // As many wherever one is: what scrolls out on one side is used again on the other.
    const high = Math.ceil((box.height - head) / down) + 1 + 2 * MARGIN, broad = Math.ceil((box.width - side) / across) + 1 + 2 * ASIDE;
    const begin = (at, count, all) => Math.max(0, Math.min(at, all - count));
    const first = begin(Math.floor(box.top / down) - MARGIN, high, rows.length), left = begin(Math.floor(box.left / across) - ASIDE, broad, cols.length);
    return { size, screen: Math.max(1, Math.floor((box.height - head) / down)), first, last: first + high, left, right: left + broad };
  }, [view.size, view.rows === "", view.orows === "", view.ocols === "", rows.length, cols.length]);
  const [focus, setFocus, latest] = useAtOnce([0, 0]);
  const moved = useRef("");
  const within = ([row, col]) => [Math.min(row, rows.length - 1), Math.min(col, cols.length - 1)], here = within(focus);

  // What was opened by its address is looked for; what was closed gets the focus again.
  const before = useRef(null);
  useEffect(() => {
    const cell = opened ?? before.current;
    const [row, col] = cell ? placeOf(cell) : [-1, -1];
    if (row >= 0 && col >= 0) {
      moved.current = opened ? "seen" : "focused";
      setFocus([row, col]);
    }
    before.current = opened;
  }, [opened && keyOf(gallery, opened)]);

  useLayoutEffect(() => {
    if (!moved.current || !sight) return;
    const { size: { head, side, width, height } } = sight;
    const box = scroller.current, [row, col] = here;
    const top = row * (height + GAP), left = col * (width + GAP);
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height + head > box.scrollTop + box.clientHeight) box.scrollTop = top + height + head + GAP - box.clientHeight;
    if (left < box.scrollLeft) box.scrollLeft = left;
    else if (left + width + side > box.scrollLeft + box.clientWidth) box.scrollLeft = left + width + side + GAP - box.clientWidth;
    if (moved.current === "focused") focusCell(box);
    moved.current = "";
  });

  useHeldFocus(scroller);

  const go = (row, col) => {
    moved.current = "focused";
    setFocus([Math.min(Math.max(row, 0), rows.length - 1), Math.min(Math.max(col, 0), cols.length - 1)]);
  };
  function keyed(event) {
    const [row, col] = within(latest.current), there = at(row, col);
    if (event.altKey || event.metaKey || event.target.closest("input, select, textarea, button, a, video")) return;
    const keys = {
      ArrowUp: () => go(row - 1, col), ArrowDown: () => go(row + 1, col),
      ArrowLeft: () => go(row, col - 1), ArrowRight: () => go(row, col + 1),
      Home: () => go(event.ctrlKey ? 0 : row, 0),
      End: () => go(event.ctrlKey ? rows.length - 1 : row, cols.length - 1),
      PageUp: () => go(row - sight.screen, col), PageDown: () => go(row + sight.screen, col),
      Enter: () => there.length && onOpen(there[turnOf(turns, there, opened)]),
      "]": () => there.length > 1 && onTurn(there, 1), "[": () => there.length > 1 && onTurn(there, -1),
    };
    if (!(event.key in keys)) return;
    keys[event.key]();
    event.preventDefault();
  }

  return html`
    <div class="grid" ref=${scroller} role="grid" aria-label="The matrix" onKeyDown=${keyed}
      aria-rowcount=${rows.length + 1} aria-colcount=${cols.length + 1}>
      ${sight && html`<${Sheet} ...${{ gallery, view, sight, rows, cols, at, hides, rowGroups, colGroups, here, turns, opened }}
        ...${{ setFocus, onTurn, onOpen, onPick }} />`}
    </div>`;
}

// Which of the cells of a place is on top.
export function turnOf(turns, there, opened) {
  const index = there.indexOf(opened);
  return index >= 0 ? index : (turns.get(there[0]?.index) ?? 0) % Math.max(1, there.length);
}

function Sheet({ gallery, view, sight, rows, cols, at, hides, rowGroups, colGroups, here, turns, opened, ...does }) {
  const { size, size: { outer, side, width, height, head }, first, left } = sight;
  // What was seen may be of a larger grid than there is now.
  const last = Math.min(sight.last, rows.length), right = Math.min(sight.right, cols.length);
  const x = (col) => side + col * (width + GAP), y = (row) => head + row * (height + GAP);
  const all = { width: `${x(cols.length)}px`, height: `${y(rows.length)}px` };
  // The place that has the focus stays, wherever one scrolls: or keys would go nowhere.
  const apartRow = useApart(here[0], first, last), apartCol = useApart(here[1], left, right);
  const rowsShown = span(first, last, here[0]), slots = sight.last - first;
  const shown = useMemo(() => span(left, right, -1), [left, right]);
  const shownHere = useMemo(() => span(left, right, here[1]), [left, right, here[1]]);
  const alone = useMemo(() => [here[1]], [here[1]]);
  const colsOf = (row) => (row !== here[0] ? shown : row >= first && row < last ? shownHere : alone);
  const { picked } = view;
  return html`
    <div class="heads" role="row" aria-rowindex="1" style=${{ height: `${head}px`, width: all.width }}>
      <div class="corner" role="columnheader" aria-colindex="1" style=${{ width: `${side - GAP}px` }}>
        ${axisNames(view.ocols, view.cols, "→", "across")}${axisNames(view.orows, view.rows, "↓", "down")}
      </div>
      ${view.ocols && colGroups.filter(({ from, to }) => to > left && from < right).map(({ label, title, from, to }) => html`
        <div class="group" key=${`g${from}`} aria-hidden="true" title=${title} style=${{ left: `${x(from)}px`, width: `${x(to) - x(from) - GAP}px` }}>
          <b style=${{ left: `${side}px` }}>${label}</b></div>`)}
      ${shownHere.map((col) => html`
        <div role="columnheader" key=${cols[col].id} class="top" aria-colindex=${col + 2} title=${titled(cols[col])}
          style=${{ left: `${x(col)}px`, width: `${width}px` }}>
          <span class="unseen">${cols[col].outer} </span><bdi>${cols[col].inner}</bdi></div>`)}
    </div>
    <div class="all" role="rowgroup" style=${{ ...all, marginTop: `${-head}px` }}>
      ${view.orows && rowGroups.filter(({ from, to }) => to > first && from < last).map(({ label, title, from, to }) => html`
        <div class="rows" key=${`g${from}`} aria-hidden="true" style=${{ top: `${y(from)}px`, height: `${y(to) - y(from) - GAP}px`, width: all.width }}>
          <b title=${title} style=${{ top: `${head + 4}px`, width: `${outer - 8}px` }}>${label}</b></div>`)}
      ${rowsShown.map((row) => html`<${Still} draw=${Row} key=${row === apartRow ? "apart" : row % slots} ...${{ gallery, picked, size, cols, at, hides, turns, opened, row }} ...${does}
        line=${rows[row]} colsShown=${colsOf(row)} apart=${row === here[0] ? apartCol : -1} broad=${sight.right - left} focused=${row === here[0] ? here[1] : -1} wide=${all.width} />`)}
    </div>`;
}

function Row({ line, wide, colsShown, apart, broad, size, cols, row, ...more }) {
  const { outer, side, head, width, height } = size;
  return html`
    <div role="row" class="row" aria-rowindex=${row + 2} style=${{ top: `${head + row * (height + GAP)}px`, height: `${height}px`, width: wide }}>
      <div role="rowheader" class="side" aria-colindex="1" title=${titled(line)} style=${{ width: `${side - GAP}px`, paddingLeft: `${outer + 14}px` }}>
        <span class="unseen">${line.outer} </span><bdi>${line.inner}</bdi></div>
      ${colsShown.map((col) => html`<${Spot} key=${col === apart ? "apart" : col % broad} ...${more} ...${{ row, col, width, height }} left=${side + col * (width + GAP)} />`)}
    </div>`;
}

// From one number to before another, and one that may lie elsewhere.
export function span(from, to, also) {
  const found = Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
  if (also >= 0 && also < from) found.unshift(also);
  if (also >= to) found.push(also);
  return found;
}

const titled = ({ outerTitle, innerTitle }) => [outerTitle, innerTitle].filter(Boolean).join("\n");

function axisNames(outer, inner, arrow, way) {
  const names = [outer, inner].filter(Boolean).map(axisLabel).join(" / ");
  return names && html`<span class=${way} title=${names}><span aria-hidden="true">${arrow} </span><bdi>${names}</bdi></span>`;
}

function Spot({ gallery, picked, at, hides, turns, opened, focused, row, col, ...more }) {
  const there = at(row, col), index = turnOf(turns, there, opened), cell = there[index];
  return html`<${Still} draw=${drawn} ...${more} ...${{ gallery, cell, there, index, row, col }} has=${focused === col}
    hidden=${!cell && hides(row, col)} open=${cell !== undefined && cell === opened}
    picked=${cell === undefined ? "" : keysOf(picked, keyOf(gallery, cell))} />`;
}

function drawn({ gallery, cell, there, index, row, col, left, width, height, has, hidden, open, picked, setFocus, onTurn, onOpen, onPick }) {
  const absent = hidden ? "left out by the filter" : "no such job";
  const turned = (event) => {
    onTurn(there, 1);
    event.currentTarget.closest('[role="gridcell"]').focus();
  };
  return html`
    <div role="gridcell" class=${`place${open ? " is-open" : ""}`} aria-colindex=${col + 2} tabindex=${has ? 0 : -1}
      style=${{ left: `${left}px`, width: `${width}px` }} aria-label=${cell ? said(cell, index, there.length) : absent}
      onfocusin=${() => setFocus([row, col])}>
      ${cell ? html`<${Cell} ...${{ gallery, cell, picked, room: [width, height - CAPTION] }} onOpen=${() => onOpen(cell)} onPick=${() => onPick(cell)} />`
             : html`<p class=${hidden ? "absent is-hidden" : "absent"}>${absent}</p>`}
      ${there.length > 1 && html`
        <button type="button" class="more" tabindex="-1" title="Show the next of these (])" aria-label=${`${index + 1} of ${there.length} here: show the next`}
          onClick=${turned}>${index + 1} of ${there.length}</button>`}
    </div>`;
}

export function said(cell, index = 0, count = 1) {
  const files = cell.files.length > 1 ? `, ${cell.files.length} files` : "";
  const what = cell.files.length ? `${fileOf(cell).kind}, ${cell.phase}${files}` : why(cell);
  return `${cell.name}: ${what}${count > 1 ? `, ${index + 1} of ${count} here` : ""}`;
}
