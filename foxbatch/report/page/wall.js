// All cells as a wall of tiles in their own shapes, of which only those in sight exist.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { Cell } from "./cell.js";
import { SIZES } from "./view.js";
import { justified, ratioOf, rowAt } from "./arrange.js";
import { keyOf } from "./gallery.js";
import { keysOf } from "./files.js";
import { said, span } from "./grid.js";
import { Still, focusCell, useApart, useAtOnce, useHeldFocus, useSight } from "./sight.js";

const GAP = 10, CAPTION = 26, MARGIN_PX = 160;

export function Wall({ gallery, view, cells, onOpen, onPick, opened }) {
  const scroller = useRef(null);
  const [width, setWidth] = useState(0);
  const wall = useMemo(() => {
    const height = (SIZES[view.size] * 3) / 4;
    const laid = justified(cells.map(ratioOf), { width: Math.max(width, 200), height, gap: GAP, caption: CAPTION });
    return { ...laid, lowest: GAP + Math.min(...laid.rows.map((row) => row.height)) };
  }, [cells, view.size, width]);
  const sight = useSight(scroller, (box) => {
    setWidth(box.width);
    // As many wherever one is: what scrolls out on one side is used again on the other.
    const slots = Math.ceil((box.height + 2 * MARGIN_PX) / wall.lowest) + 1;
    return { slots, screen: box.height, first: Math.max(0, Math.min(rowAt(wall.rows, box.top - MARGIN_PX), wall.rows.length - slots)) };
  }, [wall]);
  const [focus, setFocus, latest] = useAtOnce(0);
  const moved = useRef("");
  const here = Math.min(focus, cells.length - 1);
  const rowOf = (index) => wall.rows.findIndex(({ to }) => index < to);

  const before = useRef(null);
  useEffect(() => {
    const index = cells.indexOf(opened ?? before.current);
    if (index >= 0) {
      moved.current = opened ? "seen" : "focused";
      setFocus(index);
    }
    before.current = opened;
  }, [opened && keyOf(gallery, opened)]);

  useLayoutEffect(() => {
    const row = wall.rows[rowOf(here)];
    if (!moved.current || !row) return;
    const box = scroller.current;
    if (row.top < box.scrollTop) box.scrollTop = row.top - GAP;
    else if (row.top + row.height > box.scrollTop + box.clientHeight) box.scrollTop = row.top + row.height + GAP - box.clientHeight;
    if (moved.current === "focused") focusCell(box);
    moved.current = "";
  });

  useHeldFocus(scroller);

  const go = (index) => {
    moved.current = "focused";
    setFocus(Math.min(Math.max(index, 0), cells.length - 1));
  };
  // The tile of another row that is nearest to where this one is.
  function beside(here, steps) {
    const at = rowOf(here), row = wall.rows[at];
    const next = wall.rows[Math.min(Math.max(at + steps, 0), wall.rows.length - 1)];
    const middle = ({ left, width: wide }) => left + wide / 2, from = middle(row.tiles[here - row.from]);
    let best = 0;
    next.tiles.forEach((tile, index) => {
      if (Math.abs(middle(tile) - from) < Math.abs(middle(next.tiles[best]) - from)) best = index;
    });
    return next.from + best;
  }
  function keyed(event) {
    if (event.altKey || event.metaKey || event.target.closest("input, select, textarea, button, a, video")) return;
    const here = Math.min(latest.current, cells.length - 1);
    const screen = Math.max(1, Math.floor(sight.screen / (wall.rows[0].height + GAP)));
    const keys = {
      ArrowLeft: () => go(here - 1), ArrowRight: () => go(here + 1),
      ArrowUp: () => go(beside(here, -1)), ArrowDown: () => go(beside(here, 1)),
      PageUp: () => go(beside(here, -screen)), PageDown: () => go(beside(here, screen)),
      Home: () => go(event.ctrlKey ? 0 : wall.rows[rowOf(here)].from),
      End: () => go(event.ctrlKey ? cells.length - 1 : wall.rows[rowOf(here)].to - 1),
      Enter: () => onOpen(cells[here]),
    };
    if (!(event.key in keys)) return;
    keys[event.key]();
    event.preventDefault();
  }

  const { first, slots } = sight ?? { first: 0, slots: 0 };
  const apart = useApart(rowOf(here), first, first + slots);
  const shown = span(first, Math.min(first + slots, wall.rows.length), rowOf(here));
  return html`
    <div class="wall" ref=${scroller} role="grid" aria-label="All jobs" aria-rowcount=${wall.rows.length} onKeyDown=${keyed}>
      <div class="all" role="rowgroup" style=${{ height: `${wall.height}px` }}>
        ${shown.map((row) => html`<${Still} draw=${Row} key=${row === apart ? "apart" : row % slots} ...${{ gallery, cells, picked: view.picked, opened, row, setFocus, onOpen, onPick }}
          line=${wall.rows[row]} focused=${row === rowOf(here) ? here : -1} />`)}
      </div>
    </div>`;
}

function Row({ gallery, cells, picked, opened, row, line: { top, height, from, tiles }, focused, ...does }) {
  return html`
    <div role="row" class="row" aria-rowindex=${row + 1} style=${{ top: `${top}px`, height: `${height}px`, width: "100%" }}>
      ${tiles.map(({ left, width: wide }, nth) => html`
        <${Still} key=${nth} draw=${drawn} ...${{ gallery, left, wide, high: height - CAPTION, ...does }}
          index=${from + nth} cell=${cells[from + nth]} has=${focused === from + nth} open=${cells[from + nth] === opened}
          picked=${keysOf(picked, keyOf(gallery, cells[from + nth]))} />`)}
    </div>`;
}

function drawn({ gallery, cell, index, left, wide, high, has, open, picked, setFocus, onOpen, onPick }) {
  return html`
    <div role="gridcell" class=${`place${open ? " is-open" : ""}`} tabindex=${has ? 0 : -1} aria-label=${said(cell)}
      style=${{ left: `${left}px`, width: `${wide}px` }} onfocusin=${() => setFocus(index)}>
      <${Cell} ...${{ gallery, cell, picked, room: [wide, high] }} onOpen=${() => onOpen(cell)} onPick=${() => onPick(cell)} />
    </div>`;
}
