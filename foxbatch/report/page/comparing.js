// What differs between cells, where their neighbours are, and in which ways they can be
// compared. Pure.

import { faced, fileOf, frontOf, numberOf } from "./files.js";
import { axisLabel, valueLabel } from "./gallery.js";

// Axes on which there is somewhere to go, with the value all have, or that they differ.
export function axesOf(gallery, cells) {
  return gallery.axes
    .map(({ id, values }, index) => {
      const same = cells.every((cell) => cell.at[index] === cells[0].at[index]);
      return { id, index, name: axisLabel(id), many: values.length > 1, same, value: same ? nameAt(gallery, cells[0], index) : "" };
    })
    .filter(({ many }) => many);
}

function nameAt(gallery, cell, index) {
  return cell.at[index] < 0 ? "–" : valueLabel(gallery.axes[index].values[cell.at[index]]);
}

// What is said of each cell beside others: only that in which they differ.
export function captions(gallery, cells) {
  const differ = axesOf(gallery, cells).filter(({ same }) => !same);
  const filesDiffer = cells.some((cell) => frontOf(cell) !== frontOf(cells[0]));
  return cells.map((cell) => {
    const said = differ.map(({ name, index }) => ({ name, value: nameAt(gallery, cell, index) }));
    if (filesDiffer && cell.files.length) said.push({ name: "file", value: numberOf(cell) || "1" });
    return said.length ? said : [{ name: "", value: cell.name }];
  });
}

// The cells one step further along an axis, all else equal; null where one has no such
// neighbour. Values that no job has are passed over.
export function neighbours(gallery, cells, axis, step) {
  const index = gallery.axisOf.get(axis);
  if (index === undefined) return null;
  const found = cells.map((cell) => neighbour(gallery, cell, index, step));
  return found.every(Boolean) ? found.map((cell, place) => faced(cell, frontOf(cells[place]))) : null;
}

function neighbour(gallery, cell, axis, step) {
  if (cell.at[axis] < 0) return null;
  const alike = gallery.cells.filter((other) => other.at.every((at, index) => index === axis || at === cell.at[index]));
  const ahead = alike.filter((other) => (other.at[axis] - cell.at[axis]) * step > 0);
  return ahead.reduce((best, one) =>
    (!best || Math.abs(one.at[axis] - cell.at[axis]) < Math.abs(best.at[axis] - cell.at[axis]) ? one : best), null);
}

export const SIDE = ["", "s", "Side by side"];
const LAID = [["wipe", "w", "Wipe"], ["switch", "f", "Flick"], ["difference", "d", "Difference"]];
const WORDS = [["words", "d", "Changed words"]];

// In which ways: [name, key, label]. Two pictures can be laid upon each other, and two
// texts into each other.
export function waysOf(cells) {
  if (cells.length !== 2) return [SIDE];
  const files = cells.map(fileOf);
  if (files.every((file) => ["video", "image"].includes(file?.kind))) return [SIDE, ...LAID];
  return files.every((file) => file?.text) ? [SIDE, ...WORDS] : [SIDE];
}
