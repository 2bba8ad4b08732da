// Which cells are shown, and where: filters, order, the grid of the matrix, and the
// rows of the wall. Pure.

import { axisLabel, valueLabel } from "./gallery.js";
import { fileOf } from "./files.js";
import { filterOf, fits } from "./opinions.js";
import { searcher, wordsOf } from "./search.js";

// What of a view is about ratings: what it filters by, and words of the search.
export function ratingFilters(view) {
  const said = wordsOf(view.q).map(({ text, not }) => ({ filter: filterOf(text), not }));
  return [{ filter: view.rated, not: false }, ...said].filter(({ filter }) => filter);
}

// `ratingsOf` gives what people think of each file of a cell: one that fits will do.
export function matcher(gallery, view, ratingsOf = () => [undefined]) {
  const found = searcher(gallery, wordsOf(view.q).filter(({ text }) => !filterOf(text)));
  const rated = ratingFilters(view);
  const phases = new Set(view.phase), models = new Set(view.model);
  const fixed = Object.entries(view.fix).map(([id, value]) => [gallery.axisOf.get(id), value]);
  return (cell) => (!phases.size || phases.has(cell.phase))
    && (!models.size || models.has(cell.model))
    && fixed.every(([axis, value]) => cell.at[axis] === value)
    && rated.every(({ filter, not }) => ratingsOf(cell).some((one) => fits(filter, one)) !== not)
    && found(cell);
}

const ORDERS = {
  "": ["as declared", null],
  name: ["by name", (cell) => cell.name],
  latency: ["fastest first", (cell) => cell.latency_s ?? Infinity],
  credits: ["dearest first", (cell) => -(cell.credits ?? -1)],
  newest: ["newest first", (cell) => -(cell.times.downloaded ?? cell.times.submitted ?? 0)],
};
export const ORDER_NAMES = Object.entries(ORDERS).map(([name, [label]]) => [name, label]);

export function chosen(gallery, view, ratingsOf) {
  const cells = gallery.cells.filter(matcher(gallery, view, ratingsOf));
  const key = ORDERS[view.sort]?.[1];
  if (!key) return cells;
  const keys = new Map(cells.map((cell) => [cell, key(cell)]));
  return cells.sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : keys.get(a) > keys.get(b) ? 1 : 0));
}

// ---- The grid

const NOWHERE = -1;

// The lines of one direction: one for each pair of an outer and an inner value that
// occurs, in the order of the axes.
function lines(gallery, cells, outer, inner) {
  const outerAxis = gallery.axisOf.get(outer), innerAxis = gallery.axisOf.get(inner);
  const place = (cell, axis) => (axis === undefined ? 0 : cell.at[axis] ?? NOWHERE);
  const wide = innerAxis === undefined ? 2 : gallery.axes[innerAxis].values.length + 2;
  const keyOf = (cell) => (place(cell, outerAxis) + 1) * wide + place(cell, innerAxis) + 1;
  const found = new Map();
  for (const cell of cells) {
    const key = keyOf(cell);
    if (!found.has(key)) found.set(key, cell);
  }
  const keys = [...found.keys()].sort((a, b) => a - b);
  const all = keys.map((key) => {
    const cell = found.get(key);
    // Values only come behind those there are, so this stays what it is.
    const id = `${place(cell, outerAxis)}/${place(cell, innerAxis)}`;
    return { id, ...labelled(gallery, outerAxis, cell, "outer"), ...labelled(gallery, innerAxis, cell, "inner") };
  });
  const index = new Map(keys.map((key, line) => [key, line]));
  return { all, of: (cell) => index.get(keyOf(cell)) ?? NOWHERE };
}

// A label, and what it says when it is pointed at: prompts tell their text.
function labelled(gallery, axis, cell, name) {
  if (axis === undefined) return { [name]: "", [`${name}Title`]: "" };
  const { id, values } = gallery.axes[axis];
  const label = valueLabel(values[cell.at[axis]]);
  const text = id === "prompt" && cell.prompt !== null ? gallery.prompts[cell.prompt] : "";
  return { [name]: label, [`${name}Title`]: `${axisLabel(id)}: ${label}${text ? `\n${text}` : ""}` };
}

// Stretches of lines with the same outer value: [{ label, title, from, to }].
export function groups(all) {
  const found = [];
  all.forEach(({ outer, outerTitle }, line) => {
    const last = found.at(-1);
    if (last && last.title === outerTitle) last.to = line + 1;
    else found.push({ label: outer, title: outerTitle, from: line, to: line + 1 });
  });
  return found;
}

// The grid: rows and columns with their labels, and the cells of each place. A place
// without a cell may have one that the filters leave out.
export function arrange(gallery, view, cells) {
  const rows = lines(gallery, cells, view.orows, view.rows);
  const cols = lines(gallery, cells, view.ocols, view.cols);
  const placeOf = (cell) => [rows.of(cell), cols.of(cell)];
  const keyOf = ([row, col]) => (row < 0 || col < 0 ? NOWHERE : row * cols.all.length + col);
  const places = new Map();
  for (const cell of cells) {
    const key = keyOf(placeOf(cell));
    const there = places.get(key);
    if (there) there.push(cell); else places.set(key, [cell]);
  }
  let all = null; // only asked for where something is missing
  const hides = (row, col) => {
    all ??= new Set(gallery.cells.map((cell) => keyOf(placeOf(cell))));
    return all.has(row * cols.all.length + col);
  };
  return {
    rows: rows.all, cols: cols.all, rowGroups: groups(rows.all), colGroups: groups(cols.all),
    at: (row, col) => places.get(row * cols.all.length + col) ?? NO_CELLS,
    hides, placeOf,
  };
}
const NO_CELLS = [];

// ---- The wall

const WIDEST = 4, NARROWEST = 0.4; // width by height; what is beyond is cropped by bars

export function ratioOf(cell) {
  const { width, height } = fileOf(cell) ?? {};
  const ratio = width && height ? width / height : 16 / 9;
  return Math.min(Math.max(ratio, NARROWEST), WIDEST);
}

// Rows of tiles that fill *width*, each about *height* high:
// [{ top, height, from, to, tiles: [{ left, width }] }]. The last row is not stretched.
export function justified(ratios, { width, height, gap, caption }) {
  const rows = [];
  let from = 0, sum = 0, top = gap;
  const close = (to, high) => {
    let left = gap;
    const tiles = ratios.slice(from, to).map((ratio) => {
      const tile = { left: Math.round(left), width: Math.floor(ratio * high) };
      left += ratio * high + gap;
      return tile;
    });
    rows.push({ top: Math.round(top), height: Math.round(high) + caption, from, to, tiles });
    top += Math.round(high) + caption + gap;
    from = to;
    sum = 0;
  };
  ratios.forEach((ratio, index) => {
    sum += ratio;
    const free = width - gap * (index - from + 2);
    if (sum * height >= free) close(index + 1, Math.max(free / sum, height * 0.45));
  });
  if (from < ratios.length) {
    const free = width - gap * (ratios.length - from + 1);
    close(ratios.length, Math.min(height, Math.max(free / sum, height * 0.45)));
  }
  return { rows, height: top };
}

// The first of *rows* that ends below *y*: they are in order.
export function rowAt(rows, y) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].top + rows[middle].height < y) low = middle + 1; else high = middle;
  }
  return low;
}
