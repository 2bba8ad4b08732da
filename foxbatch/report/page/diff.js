// How two texts differ, word by word. Pure.

const MOST_PAIRS = 2e6; // of words that are compared with each other

// Parts of both texts in order: [{ text, side }], where side is "a", "b", or "" for both.
export function differences(a, b) {
  const one = wordsOf(a), two = wordsOf(b);
  let start = 0, end = 0;
  while (start < one.length && start < two.length && one[start] === two[start]) start += 1;
  while (end < one.length - start && end < two.length - start
    && one[one.length - 1 - end] === two[two.length - 1 - end]) end += 1;
  const middle = between(one.slice(start, one.length - end), two.slice(start, two.length - end));
  return joined([
    ...one.slice(0, start).map((text) => ({ text, side: "" })), ...middle,
    ...one.slice(one.length - end).map((text) => ({ text, side: "" })),
  ]);
}

// Words with the space behind them, so that a changed word takes its space along.
function wordsOf(text) {
  return text.match(/[\p{L}\p{N}_]+\s*|[^\p{L}\p{N}_]\s*/gu) ?? [];
}

// The longest sequence of words that both have stays; the rest is of one side.
function between(one, two) {
  const all = (words, side) => words.map((text) => ({ text, side }));
  if (one.length * two.length > MOST_PAIRS) return [...all(one, "a"), ...all(two, "b")];
  const wide = two.length + 1;
  const longest = new Uint16Array((one.length + 1) * wide); // from word i and word j on
  for (let i = one.length - 1; i >= 0; i--) {
    for (let j = two.length - 1; j >= 0; j--) {
      longest[i * wide + j] = one[i] === two[j] ? longest[(i + 1) * wide + j + 1] + 1
        : Math.max(longest[(i + 1) * wide + j], longest[i * wide + j + 1]);
    }
  }
  const found = [];
  let i = 0, j = 0;
  while (i < one.length && j < two.length) {
    if (one[i] === two[j]) {
      found.push({ text: one[i], side: "" });
      i += 1;
      j += 1;
    } else if (longest[(i + 1) * wide + j] >= longest[i * wide + j + 1]) found.push({ text: one[i++], side: "a" });
    else found.push({ text: two[j++], side: "b" });
  }
  return [...found, ...all(one.slice(i), "a"), ...all(two.slice(j), "b")];
}

function joined(parts) {
  const found = [];
  for (const { text, side } of parts) {
    const last = found[found.length - 1];
    if (last?.side === side) last.text += text; else found.push({ text, side });
  }
  return found;
}
