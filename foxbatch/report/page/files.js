// A job may have several files: what stands for it is one of them. A cell with another
// file in front is a copy of it that says so in `front`, so that whoever shows, rates or
// compares cells need not know. Pure.

import { keyOf } from "./gallery.js";

export const frontOf = (cell) => cell.front ?? 0;
export const fileOf = (cell) => cell.files[frontOf(cell)];
export const wholeOf = (cell) => cell.whole ?? cell;

// The cell with its file number *front* (from 0) in front: the same object each time.
const copies = new WeakMap();
export function faced(cell, front) {
  const whole = wholeOf(cell);
  if (!front || !whole.files[front]) return whole;
  if (!copies.has(whole)) copies.set(whole, []);
  return (copies.get(whole)[front] ??= { ...whole, front, whole });
}

// The cell once for each of its files; once for a cell without any.
export function facesOf(cell) {
  return cell.files.length ? cell.files.map((_, front) => faced(cell, front)) : [cell];
}

// The file before or after the one in front; behind the last comes the first.
export function turned(cell, step) {
  const count = cell.files.length;
  return faced(cell, (frontOf(cell) + step + count) % Math.max(1, count));
}

// Which file it is, in words; nothing where there is one.
export function numberOf(cell) {
  return cell.files.length > 1 ? `${frontOf(cell) + 1} of ${cell.files.length}` : "";
}

// ---- Names in addresses: `job`, or `job.2` with its second file in front

export function faceKey(gallery, cell) {
  const key = keyOf(gallery, cell), front = frontOf(cell);
  return front ? `${key}.${front + 1}` : key;
}

// Those of *keys* that mean a file of the job *key*.
export function keysOf(keys, key) {
  return keys.filter((one) => jobOf(one) === key).join(" ");
}

// A job's id has no dots.
const jobOf = (key) => key.replace(/\.\d+$/, "");

// Cells by their names.
export class Names {
  #jobs;

  constructor(gallery) {
    this.#jobs = new Map(gallery.cells.map((cell) => [keyOf(gallery, cell), cell]));
  }

  has(key) {
    return this.#jobs.has(jobOf(key));
  }

  get(key) {
    const cell = this.#jobs.get(jobOf(key));
    return cell && faced(cell, Number(/\.(\d+)$/.exec(key)?.[1] ?? 1) - 1);
  }
}
