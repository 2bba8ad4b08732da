// Voting blind: two films side by side in step, without a name on either.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { Shown } from "./cell.js";
import { faceKey, fileOf } from "./files.js";
import { axisLabel, valueLabel } from "./gallery.js";
import { fromBallot, pairsOf, shuffled, tally, toBallot, verdict, voteOn, votesOn } from "./ballots.js";
import { standing } from "./opinions.js";
import { player } from "./player.js";
import { ratings, useRatings } from "./ratings.js";
import { isTyping } from "./rate.js";

export function Vote({ gallery, view, cells, change }) {
  const ballot = fromBallot(gallery, view.ballot);
  if (!ballot) return html`<${Setup} ...${{ gallery, cells, change }} />`;
  return html`<${Voting} key=${view.ballot} ...${{ gallery, ballot, cells, change }} />`;
}

// ---- What is compared

function Setup({ gallery, cells, change }) {
  const axes = gallery.axes.filter(({ values }) => values.length > 1);
  const best = axes.find(({ id }) => id === "run") ?? axes.find(({ id }) => id === "model") ?? axes.find(({ id }) => id.startsWith("cell.")) ?? axes[0];
  const [chosen, choose] = useState({ axis: best?.id, a: 0, b: 1 });
  const axis = axes.find(({ id }) => id === chosen.axis);
  const { pairs, same } = useMemo(() => (axis ? pairsOf(gallery, cells, chosen) : { pairs: [], same: 0 }), [cells, chosen]);
  if (!axis) return html`<p class="waiting">There is nothing to compare: all jobs have the same values.</p>`;
  const start = () => {
    const [a, b] = [chosen.a, chosen.b].sort((x, y) => x - y);
    const seed = crypto.getRandomValues(new Uint32Array(1))[0];
    change({ ballot: toBallot({ axis: chosen.axis, a, b, seed }), open: "" });
  };
  const Value = ({ side, label }) => html`
    <label>${label}<select value=${chosen[side]} onChange=${(event) => choose({ ...chosen, [side]: Number(event.target.value) })}>
      ${axis.values.map((value, index) => html`<option value=${index}>${valueLabel(value)}</option>`)}</select></label>`;
  return html`
    <section class="sheet-page setup" aria-label="Vote blind">
      <h2>Which one is better?</h2>
      <p>You see two results at a time that differ in one thing only, and never which is which.
        Sides and order are random. Filters and the search above say which jobs take part.</p>
      <div class="line">
        <label>They differ in<select value=${chosen.axis} onChange=${(event) => choose({ axis: event.target.value, a: 0, b: 1 })}>
          ${axes.map(({ id }) => html`<option value=${id}>${axisLabel(id)}</option>`)}</select></label>
        <${Value} side="a" label="One is" /><${Value} side="b" label="the other is" />
      </div>
      <p class="quiet" role="status">${counted(pairs.length, "pair")}${same ? `; ${counted(same, "pair")} with equal files ${same === 1 ? "is" : "are"} left out` : ""}</p>
      <p><button type="button" class="main" disabled=${pairs.length === 0} onClick=${start}>Start</button></p>
    </section>`;
}

const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

// ---- One pair after the other

const CHOICES = [["ArrowLeft", "left", "←", "Left is better"], ["ArrowDown", "tie", "↓", "Both are equal"],
  ["ArrowUp", "neither", "↑", "Neither is good"], ["ArrowRight", "right", "→", "Right is better"]];

function Voting({ gallery, ballot, cells, change }) {
  const pairs = useMemo(() => shuffled(pairsOf(gallery, cells, ballot).pairs, ballot.seed), [cells]);
  const lines = useRatings((now) => now.lines);
  const votes = useMemo(() => votesOn(gallery, ballot, pairs, standing(lines)), [lines, pairs]);
  const [opened, setOpened] = useState(false);
  const cast = useRef([]); // pairs that were voted on here, to take back
  const mine = votes.map((people) => people.get(ratings.me));
  const at = mine.findIndex((winner) => !winner);
  const done = mine.filter(Boolean).length;
  const pair = pairs[at];

  const say = (one, winner) => ratings.add({ vote: voteOn(gallery, ballot, one, winner) });
  function vote(choice) {
    if (!pair) return;
    const sides = pair.swapped ? { left: "b", right: "a" } : { left: "a", right: "b" };
    cast.current.push(pair);
    say(pair, sides[choice] ?? choice);
  }
  function undo() {
    // Also votes from before a reload can be taken back, the last one first.
    const last = cast.current.pop() ?? pairs.filter((_, index) => mine[index]).pop();
    if (last) say(last, "");
  }
  useLayoutEffect(() => {
    const keyed = (event) => {
      if (opened || event.repeat || isTyping(event) || event.target.closest?.("input") || document.querySelector("dialog[open]")) return;
      const choice = CHOICES.find(([key]) => key === event.key);
      if (choice) vote(choice[1]); else if (event.key === "u") undo(); else return;
      event.preventDefault();
    };
    addEventListener("keydown", keyed);
    return () => removeEventListener("keydown", keyed);
  });
  useEffect(() => {
    if (!pair || opened) { player.pause(); return; }
    player.wind(0);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) player.play();
  }, [at, opened]);
  useEffect(() => () => player.pause(), []);

  if (pairs.length === 0) return html`<${Ended} ...${{ gallery, ballot, pairs, votes, change }} />`;
  if (!pair || opened) return html`<${Ended} ...${{ gallery, ballot, pairs, votes, change }} undo=${undo} onBack=${pair && (() => setOpened(false))} />`;
  const [left, right] = pair.swapped ? [pair.b, pair.a] : [pair.a, pair.b];
  return html`
    <section class="voting" aria-label="Vote blind" data-seed=${ballot.seed}>
      <p class="line"><progress max=${pairs.length} value=${done} aria-label="Pairs voted on"></progress>
        <span role="status">Pair ${done + 1} of ${pairs.length}</span></p>
      <${Prompt} ...${{ gallery, left, right }} />
      <div class="duel" key=${at}>
        <${Blind} ...${{ gallery, cell: left }} label="Left" /><${Blind} ...${{ gallery, cell: right }} label="Right" />
      </div>
      <div class="line choices" role="group" aria-label="Your vote">
        ${CHOICES.map(([key, choice, arrow, label]) => html`
          <button type="button" aria-keyshortcuts=${key} onClick=${() => vote(choice)}><kbd aria-hidden="true">${arrow}</kbd> ${label}</button>`)}
      </div>
      <p class="line end"><button type="button" disabled=${done === 0} aria-keyshortcuts="u" onClick=${undo}>Take the last vote back</button>
        <button type="button" disabled=${done === 0} onClick=${() => setOpened(true)}>Stop, and show which is which</button></p>
    </section>`;
}

// The prompt is shown only where it is the same on both sides: else it would tell.
function Prompt({ gallery, left, right }) {
  if (left.prompt === null || left.prompt !== right.prompt) return null;
  return html`<p class="prompt quiet" dir="auto">${gallery.prompts[left.prompt]}</p>`;
}

// A file with nothing on it that names it.
function Blind({ gallery, cell, label }) {
  return html`<figure class="blind" aria-label=${label}>
    <${Shown} ...${{ gallery, cell: { ...cell, name: label }, file: fileOf(cell), large: true }} /></figure>`;
}

// ---- Which is which

function Ended({ gallery, ballot, pairs, votes, change, undo, onBack }) {
  const { values } = gallery.axes[gallery.axisOf.get(ballot.axis)];
  const names = [ballot.a, ballot.b].map((index) => valueLabel(values[index]));
  const people = [...new Set(votes.flatMap((one) => [...one.keys()]))].sort();
  const all = tally(votes.flatMap((one) => [...one.values()]));
  const word = { a: names[0], b: names[1], tie: "equal", neither: "neither" };
  const again = () => change({ ballot: "" });
  if (!people.length) return html`<section class="sheet-page"><p class="waiting">There is no pair to vote on here.</p>
    <p class="line"><button type="button" onClick=${again}>Compare something else</button></p></section>`;
  return html`
    <section class="sheet-page tally" aria-label="Result of the vote">
      <h2>${axisLabel(ballot.axis)}: “${names[0]}” or “${names[1]}”?</h2>
      <p class="verdict" dir="auto">${verdict(all, names)}</p>
      <${Shares} ...${{ all, names }} />
      <table><caption class="unseen">Votes by person</caption>
        <thead><tr><th scope="col">who</th><th scope="col">${names[0]}</th><th scope="col">${names[1]}</th><th scope="col">equal</th><th scope="col">neither</th></tr></thead>
        <tbody>${people.map((who) => {
          const one = tally(votes.map((found) => found.get(who)));
          return html`<tr><th scope="row" dir="auto">${who}</th><td>${one.a}</td><td>${one.b}</td><td>${one.tie}</td><td>${one.neither}</td></tr>`;
        })}</tbody></table>
      <p class="line">
        ${onBack && html`<button type="button" onClick=${onBack}>Go on voting</button>`}
        ${!onBack && undo && html`<button type="button" onClick=${undo}>Take the last vote back</button>`}
        <button type="button" onClick=${again}>Compare something else</button></p>
      <details><summary>Every pair</summary>
        <table><thead><tr><th scope="col">pair</th><th scope="col">better</th><th scope="col">${names[0]}</th><th scope="col">${names[1]}</th></tr></thead>
          <tbody>${pairs.map((pair, index) => votes[index].size > 0 && html`<tr>
            <th scope="row" dir="auto">${pair.where}</th>
            <td dir="auto">${[...votes[index]].map(([who, winner]) => (people.length > 1 ? `${who}: ${word[winner]}` : word[winner])).join("; ")}</td>
            ${[pair.a, pair.b].map((cell) => html`<td><button type="button" onClick=${() => change({ open: faceKey(gallery, cell) })}>Open</button></td>`)}
          </tr>`)}</tbody></table></details>
    </section>`;
}

function Shares({ all, names }) {
  const parts = [["a", names[0]], ["tie", "equal"], ["neither", "neither"], ["b", names[1]]].filter(([part]) => all[part] > 0);
  return html`<ul class="shares">${parts.map(([part, name]) => html`
    <li class=${`share is-${part}`} style=${{ flexGrow: all[part] }}><b dir="auto">${name}</b> ${all[part]}</li>`)}</ul>`;
}
