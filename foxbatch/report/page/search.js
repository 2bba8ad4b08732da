// What the words of a search mean. Pure.
//
// `fog` and `"red fox"` have to occur, `-rain` must not, `look=fog` is one value of an
// axis, `look=f*` each that begins so; several values of one axis are alternatives.

import { axisLabel, valueLabel } from "./gallery.js";

const WORD = /-?(?:[^\s"]|"[^"]*"?)+/g;

// The words of *text* in lower case: [{ text, not }].
export function wordsOf(text) {
  return (text.toLowerCase().match(WORD) ?? [])
    .map((word) => ({ not: word.length > 1 && word.startsWith("-"), text: word }))
    .map(({ not, text: word }) => ({ not, text: (not ? word.slice(1) : word).replaceAll('"', "") }))
    .filter(({ text: word }) => word !== "");
}

// A function that says of a cell whether it fits all *words*.
export function searcher(gallery, words) {
  const names = new Map(gallery.axes.map((axis, index) => [axisLabel(axis.id).toLowerCase(), index]));
  const wanted = new Map(), tests = [];
  for (const { text, not } of words) {
    const [name, value] = splitAt(text, "=");
    const axis = value === undefined ? undefined : names.get(name);
    if (axis === undefined) {
      tests.push((cell) => textOf(gallery, cell).includes(text) !== not);
      continue;
    }
    const indices = valuesLike(gallery.axes[axis], value);
    if (not) tests.push((cell) => !indices.has(cell.at[axis]));
    else wanted.set(axis, new Set([...(wanted.get(axis) ?? []), ...indices]));
  }
  for (const [axis, indices] of wanted) tests.push((cell) => indices.has(cell.at[axis]));
  return (cell) => tests.every((test) => test(cell));
}

function splitAt(text, sign) {
  const at = text.indexOf(sign);
  return at < 1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function valuesLike(axis, value) {
  const begins = value.endsWith("*");
  const sought = begins ? value.slice(0, -1) : value;
  const fits = (label) => (begins ? label.startsWith(sought) : label === sought);
  const found = new Set();
  axis.values.forEach((one, index) => { if (fits(valueLabel(one).toLowerCase())) found.add(index); });
  return found;
}

// All that is written on a cell; made once, when somebody first searches.
function textOf(gallery, cell) {
  if (cell.text === undefined) {
    const prompt = cell.prompt === null ? "" : gallery.prompts[cell.prompt];
    const values = gallery.axes.map((axis, index) => {
      const value = axis.values[cell.at[index]];
      return value === undefined ? "" : valueLabel(value);
    });
    const why = cell.error ? [cell.error.class, cell.error.code, cell.error.message] : [];
    cell.text = [cell.name, cell.job, cell.model, cell.phase, prompt, ...values, ...why].join("\n").toLowerCase();
  }
  return cell.text;
}
