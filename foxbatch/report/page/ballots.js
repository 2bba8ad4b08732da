// Blind votes: which pairs there are, in which order and on which side they are shown,
// and what the votes come to. Pure.

import { facesOf, fileOf, frontOf, numberOf } from "./files.js";
import { axisLabel, valueLabel } from "./gallery.js";

const SHOWABLE = ["video", "image", "audio"];

// What is compared, as the address holds it: axis, two indices of its values, a seed.
export function toBallot({ axis, a, b, seed }) {
  return [axis, a, b, seed].join("~");
}

// Of an address only what makes sense is taken. The earlier value of the axis is `a`.
export function fromBallot(gallery, text) {
  const [axis, a, b, seed] = text.split("~");
  const values = gallery.axes[gallery.axisOf.get(axis)]?.values ?? [];
  const [one, two] = [Number(a), Number(b)].sort((x, y) => x - y);
  const fits = [one, two].every((index) => Number.isInteger(index) && index in values) && one !== two;
  return fits ? { axis, a: one, b: two, seed: Number(seed) >>> 0 } : null;
}

// Cells that differ in nothing but the axis, two by two; those whose files are equal
// are left out. Of several files the first is a pair with the first, and so on. What goes with the axis everywhere (a model with its own settings, say)
// is no difference.
export function pairsOf(gallery, cells, { axis, a, b }) {
  const at = gallery.axisOf.get(axis);
  const shown = cells.flatMap(facesOf).filter((cell) => SHOWABLE.includes(fileOf(cell)?.kind));
  const sides = [a, b].map((value) => shown.filter((cell) => cell.at[at] === value));
  const kept = gallery.axes.map((_, index) => index).filter((index) => index !== at && !goesWith(sides, index));
  const rest = (cell) => [fileOf(cell).kind, frontOf(cell), ...kept.map((index) => cell.at[index])].join();
  const waiting = new Map();
  for (const cell of sides[1]) {
    const key = rest(cell);
    waiting.set(key, [...(waiting.get(key) ?? []), cell]);
  }
  const pairs = [];
  let same = 0;
  for (const cell of sides[0]) {
    const other = waiting.get(rest(cell))?.shift();
    if (!other) continue;
    if (fileOf(cell).sha256 === fileOf(other).sha256) same += 1;
    else pairs.push({ a: cell, b: other, where: whereOf(gallery, cell, kept) });
  }
  return { pairs, same };
}

// Whether no value of an axis occurs on both sides.
function goesWith([left, right], index) {
  const there = new Set(left.map((cell) => cell.at[index]));
  return left.length > 0 && right.length > 0 && !right.some((cell) => there.has(cell.at[index]));
}

function whereOf(gallery, cell, axes) {
  const said = axes.filter((index) => gallery.axes[index].values.length > 1 && cell.at[index] >= 0)
    .map((index) => `${axisLabel(gallery.axes[index].id)} ${valueLabel(gallery.axes[index].values[cell.at[index]])}`);
  const file = numberOf(cell);
  return [said.join(", ") || cell.name, ...(file ? [`file ${file}`] : [])].join(", ");
}

// The pairs in an order, and each with a side for `a`, that follow from the seed alone.
export function shuffled(pairs, seed) {
  const draw = generator(seed);
  const dealt = pairs.map((pair) => ({ ...pair, swapped: draw() < 0.5 }));
  for (let last = dealt.length - 1; last > 0; last--) {
    const other = Math.floor(draw() * (last + 1));
    [dealt[last], dealt[other]] = [dealt[other], dealt[last]];
  }
  return dealt;
}

// Mulberry32: small, and the same everywhere.
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function voteOn(gallery, { axis, a, b }, pair, winner) {
  const { values } = gallery.axes[gallery.axisOf.get(axis)];
  return {
    axis, a: values[a], b: values[b], jobs: [pair.a.job, pair.b.job],
    sha256: [fileOf(pair.a).sha256, fileOf(pair.b).sha256], winner,
  };
}

const pairKey = ({ axis, a, b, jobs, sha256 }) => JSON.stringify([axis, a, b, jobs, sha256]);

// Who voted how on each pair: a map of people for each, in the order of *pairs*.
export function votesOn(gallery, ballot, pairs, standing) {
  const found = new Map();
  for (const { who, vote } of standing) {
    if (!vote || !vote.winner) continue;
    const key = pairKey(vote);
    found.set(key, (found.get(key) ?? new Map()).set(who, vote.winner));
  }
  return pairs.map((pair) => found.get(pairKey(voteOn(gallery, ballot, pair, ""))) ?? new Map());
}

// What votes come to: how often each side won, and whether that may be chance.
export function tally(winners) {
  const count = (winner) => winners.filter((one) => one === winner).length;
  const [a, b, tie, neither] = ["a", "b", "tie", "neither"].map(count);
  const decided = a + b;
  return { a, b, tie, neither, decided, range: wilson(a, decided), chance: signTest(a, b) };
}

// Where the true share lies, 19 times in 20 (Wilson's interval).
export function wilson(won, of) {
  if (of === 0) return [0, 1];
  const z = 1.959964, share = won / of, square = z * z;
  const middle = (share + square / (2 * of)) / (1 + square / of);
  const half = (z / (1 + square / of)) * Math.sqrt((share * (1 - share)) / of + square / (4 * of * of));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

// How often coins would be at least as uneven as this (sign test, both sides).
export function signTest(a, b) {
  const of = a + b, few = Math.min(a, b);
  if (of === 0) return 1;
  let term = of * Math.log(0.5), sum = Math.exp(term);
  for (let won = 1; won <= few; won++) {
    term += Math.log((of - won + 1) / won);
    sum += Math.exp(term);
  }
  return Math.min(1, 2 * sum);
}

const CLEAR = 0.05;
const percent = (share) => `${Math.round(share * 100)} %`;

// The result in plain words.
export function verdict({ a, b, decided, range, chance }, names) {
  if (decided === 0) return "No pair was decided, so nothing can be said.";
  const ahead = a >= b ? 0 : 1;
  const [low, high] = ahead === 0 ? range : [1 - range[1], 1 - range[0]];
  const said = a === b ? `Both won equally often: ${a} of ${decided} decided pairs each.`
    : `“${names[ahead]}” won ${[a, b][ahead]} of ${decided} decided pairs (${percent(Math.max(a, b) / decided)}).`;
  const odds = chance < 0.001 ? "less than once in 1000 times" : chance > 0.95 ? "nearly every time" : `about ${percent(chance)} of the time`;
  const certain = chance < CLEAR
    ? `That is hardly chance: if both were equally good, a result this uneven would come up ${odds}.`
    : `That may well be chance: if both were equally good, a result this uneven would come up ${odds}. More pairs would tell.`;
  return `${said} ${certain} With many more pairs like these, its share would probably be between ${percent(low)} and ${percent(high)}.`;
}
