// The data of the page: unpacked once, and asked by everybody. `report/data.py` says
// what is in it.

import { isLive, liveDetails, liveGallery } from "./live.js";

async function unpacked(id) {
  const text = document.getElementById(id).textContent;
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).json();
}

// What is in the page, with an index on each cell. Details come when they are wanted.
export async function loadGallery() {
  const gallery = isLive ? await liveGallery() : await unpacked("gallery");
  gallery.cells.forEach((cell, index) => { cell.index = index; });
  gallery.axisOf = new Map(gallery.axes.map((axis, index) => [axis.id, index]));
  return gallery;
}

let details = null;
export async function detailsOf(cell) {
  if (isLive) return liveDetails(cell.index);
  details ??= unpacked("details");
  return (await details)[cell.index];
}

// A cell's name in addresses and ratings; the same job may be in several runs.
export function keyOf(gallery, cell) {
  return gallery.runs.length > 1 ? `${gallery.runs[cell.run].label}/${cell.job}` : cell.job;
}

export function axisLabel(id) {
  return id.startsWith("cell.") ? id.slice(5) : id;
}

// The value of an axis in few words.
export function valueLabel(value) {
  if (typeof value === "string") return value === "" ? "“”" : value;
  return value === undefined ? "–" : JSON.stringify(value);
}

export function valueOf(gallery, cell, axis) {
  return gallery.axes[axis].values[cell.at[axis]];
}

// Addresses of a file and its poster, as this page has to write them.
export function urlOf(gallery, cell, file) {
  return `${gallery.runs[cell.run].base}/${file.path}`;
}
export function posterOf(gallery, cell, file) {
  return file.poster === null ? null : `${gallery.runs[cell.run].base}/${file.poster}`;
}
