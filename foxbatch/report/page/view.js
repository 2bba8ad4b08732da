// What is looked at, and how: one plain value that the address of the page holds, so
// that a view can be kept, shared, and gone back to. Everything here is a pure function.

export const SIZES = { s: 130, m: 210, l: 330 };
export const SHOWS = ["grid", "wall", "compare", "vote", "charts"];

// Prompts go down and the axes of the matrix across, the longest first, so that each
// place holds one job where that can be. The model is an axis like others where it alone
// tells jobs apart; where a few jobs have another one, it would leave the grid half empty.
export function firstView(gallery) {
  const isMatrix = (id) => id.startsWith("cell.") || (id === "model" && modelsDiffer);
  const modelsDiffer = tellsApart(gallery, "model");
  const rank = ({ id }) => (id === "prompt" ? 0 : id === "run" ? 1 : isMatrix(id) ? 2 : 3);
  const spread = gallery.axes
    .filter(({ values }) => values.length > 1)
    .map(({ id, values }) => ({ id, length: values.length }))
    .sort((a, b) => rank(a) - rank(b) || b.length - a.length)
    .map(({ id }) => id);
  if (spread.length > 1 && spread[0] !== "prompt") spread.splice(0, 2, spread[1], spread[0]);
  const [rows = "", cols = "", ...more] = spread;
  const [ocols = "", orows = ""] = more.filter(isMatrix);
  return {
    show: "grid", rows, cols, orows, ocols, fix: {}, phase: [], model: [], q: "",
    rated: "", ballot: "", by: "",
    sort: "", size: "m", open: "", picked: [], how: "",
  };
}

// Whether there are jobs that only differ in the axis *id*.
function tellsApart({ axes, cells }, id) {
  const axis = axes.findIndex((one) => one.id === id);
  if (axis < 0 || axes[axis].values.length < 2) return false;
  return new Set(cells.map(({ at }) => at.toSpliced(axis, 1).join())).size < cells.length;
}

// The axes that are neither rows nor columns; each may be fixed to one value.
export function freeAxes(gallery, view) {
  const used = new Set([view.rows, view.cols, view.orows, view.ocols]);
  return gallery.axes
    .map((axis, index) => ({ axis, index }))
    .filter(({ axis }) => axis.values.length > 1 && !used.has(axis.id));
}

const TEXTS = ["show", "rows", "cols", "orows", "ocols", "q", "sort", "size", "open", "how", "rated", "ballot", "by"];
const LISTS = ["phase", "model", "picked"];

// The address holds what differs from the first view.
export function toHash(gallery, view) {
  const first = firstView(gallery);
  const query = new URLSearchParams();
  for (const name of TEXTS) if (view[name] !== first[name]) query.set(name, view[name]);
  for (const name of LISTS) for (const value of view[name]) query.append(name, value);
  for (const [axis, value] of Object.entries(view.fix)) query.set(`fix.${axis}`, value);
  return query.toString();
}

// Anything may stand in an address: what makes no sense is left out.
export function fromHash(gallery, hash) {
  const view = firstView(gallery);
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  for (const name of TEXTS) if (query.has(name)) view[name] = query.get(name);
  for (const name of LISTS) if (query.has(name)) view[name] = query.getAll(name);
  for (const [name, value] of query) {
    const axis = gallery.axisOf.get(name.slice(4));
    if (!name.startsWith("fix.") || axis === undefined) continue;
    const index = Number(value);
    if (Number.isInteger(index) && gallery.axes[axis].values[index] !== undefined) {
      view.fix[name.slice(4)] = index;
    }
  }
  for (const name of ["rows", "cols", "orows", "ocols"]) {
    if (view[name] && !gallery.axisOf.has(view[name])) view[name] = "";
  }
  if (!(view.size in SIZES)) view.size = "m";
  if (!SHOWS.includes(view.show)) view.show = "grid";
  return view;
}
