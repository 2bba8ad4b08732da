// Everything about one job, beside the grid.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { Shown, Thumb } from "./cell.js";
import { commandsFor, curlOf } from "./commands.js";
import { Copy } from "./copy.js";
import { faceKey, facesOf, fileOf, numberOf, wholeOf } from "./files.js";
import { fronts } from "./fronts.js";
import { axisLabel, detailsOf, urlOf, valueLabel } from "./gallery.js";
import { MOST } from "./picks.js";
import { Marks } from "./ratings.js";
import { Rate, isTyping } from "./rate.js";
import { Badge } from "./state.js";
import { Timeline } from "./timeline.js";
import { figure, size, span, why } from "./words.js";

export function Details({ gallery, cell, arranged, change, onOpen, onClose, children }) {
  const [more, setMore] = useState(null);
  const aside = useRef(null);
  useEffect(() => {
    let wanted = true;
    setMore(null);
    aside.current.scrollTop = 0;
    detailsOf(cell).then((found) => { if (wanted) setMore(found); });
    return () => { wanted = false; };
  }, [wholeOf(cell)]);
  // Not on a button: Space is to play, not to press it.
  useEffect(() => { aside.current.focus(); }, []);
  const steps = arranged ? stepsFrom(arranged, cell) : {};
  function keyed(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      return onClose();
    }
    const next = { ArrowLeft: steps.before, ArrowRight: steps.after, "[": steps.above, "]": steps.below }[event.key];
    if (!next || isTyping(event) || event.target.closest("input, video, audio, pre")) return undefined;
    event.preventDefault();
    return onOpen(next);
  }
  const prompt = cell.prompt === null ? null : gallery.prompts[cell.prompt];
  const flags = cell.flags ?? cell.files.flatMap(({ mismatch }) => mismatch);
  return html`
    <section class="details" role="dialog" tabindex="-1" ref=${aside} aria-label=${`Details of ${cell.name}`} onKeyDown=${keyed}>
      <header><h2><bdi>${cell.name}</bdi></h2>
        <div class="ends">
          ${onOpen && arranged && html`
            <button type="button" class="round" disabled=${!steps.before} aria-label="Previous" aria-keyshortcuts="ArrowLeft" title="Previous (←)" onClick=${() => onOpen(steps.before)}>‹</button>
            <button type="button" class="round" disabled=${!steps.after} aria-label="Next" aria-keyshortcuts="ArrowRight" title="Next (→)" onClick=${() => onOpen(steps.after)}>›</button>`}
          <button type="button" class="round" onClick=${onClose} aria-label="Close the details" title="Close (Esc)">✕</button>
        </div></header>
      <p class="facts"><${Badge} phase=${cell.phase} /> <span class="quiet">${facts(cell)}</span></p>
      ${cell.files.length ? html`<${File} ...${{ gallery, cell }} /><${Files} ...${{ gallery, cell, change }} />`
        : html`<p class="reason" dir="auto">${why(cell)}</p>`}
      ${flags.map((said) => html`<p class="warning" dir="auto">Not as asked: ${said}</p>`)}
      <${Next} run=${gallery.runs[cell.run]} cell=${cell} />
      ${children}
      <${Rate} cell=${cell} />
      ${prompt !== null && html`<h3>Prompt <${Copy} text=${prompt} what="the prompt" /></h3><p class="prompt" dir="auto">${prompt}</p>`}
      <h3>Values</h3>
      <dl>${axesOf(gallery, cell).map(([name, value]) => html`<dt>${name}</dt><dd><bdi>${valueLabel(value)}</bdi></dd>`)}</dl>
      <h3>Job</h3>
      <dl>
        <dt>job</dt><dd><code>${cell.job}</code> <${Copy} text=${cell.job} what="the id of the job" /></dd>
        ${more && html`<${Ids} ...${{ gallery, cell, more }} />`}
      </dl>
      <${Timeline} times=${cell.times} />
      ${more && html`<h3>Request <${Copy} text=${more.request} what="the request" />
          ${more.curl && html` <${Copy} text=${curlOf(more)} what="" label="Copy as curl" title="A command that sends it again, and buys it again" />`}</h3>
        <pre tabindex="0">${more.request}</pre>`}
    </section>`;
}

function facts(cell) {
  return [
    cell.credits !== null && `${figure(cell.credits)} credits`,
    cell.latency_s !== null && `${span(cell.latency_s)} to finish`,
  ].filter(Boolean).join(" · ");
}

// Its other files, to be put in front or compared.
function Files({ gallery, cell, change }) {
  const count = cell.files.length;
  if (count < 2) return null;
  const compare = () => change({ show: "compare", how: "", picked: facesOf(cell).slice(0, MOST).map((one) => faceKey(gallery, one)) });
  return html`
    <div class="shelf" role="group" aria-label=${`${count} files`}>
      ${facesOf(cell).map((one, index) => html`<div key=${index}>
        <button type="button" aria-label=${`File ${numberOf(one)}`} aria-current=${one === cell} title=${`File ${numberOf(one)}`} onClick=${() => fronts.show(gallery, one)}>
          <${Thumb} ...${{ gallery, cell: one }} /></button>
        <${Marks} ...${{ gallery, cell: one }} /></div>`)}</div>
    <p class="line"><span class="quiet">${count} files</span>
      <button type="button" aria-label="Compare its files" onClick=${compare}>${count > MOST ? `Compare the first ${MOST}` : `Compare ${count === 2 ? "both" : `all ${count}`}`}</button></p>`;
}

function File({ gallery, cell }) {
  const file = fileOf(cell);
  const url = urlOf(gallery, cell, file);
  const name = decodeURIComponent(file.path.split("/").pop());
  const what = [size(file.bytes), file.width && `${file.width} × ${file.height}`, file.duration_s && span(file.duration_s),
    file.kind === "video" && (file.sound ? "with sound" : "no sound")].filter(Boolean).join(" · ");
  return html`
    <div class=${`large is-${file.kind}`} style=${file.width ? { aspectRatio: `${file.width} / ${file.height}` } : undefined}><${Shown} ...${{ gallery, cell, file, large: true }} /></div>
    <p class="quiet file"><a href=${url} target="_blank" rel="noreferrer"><bdi>${name}</bdi></a> ${what}</p>`;
}

// What to type about a job that needs a person.
function Next({ run, cell }) {
  const commands = commandsFor(run, cell);
  if (!commands.length) return null;
  return html`<h3>What next</h3>
    ${commands.map(([command, does]) => html`<p class="command"><code>${command}</code> <${Copy} text=${command} what="the command" /><span class="quiet">${does}</span></p>`)}`;
}

function Ids({ gallery, cell, more }) {
  const kept = `${gallery.runs[cell.run].base}/manifests/${more.manifest}.yaml`;
  return html`
    <dt>task</dt><dd>${more.task ? html`<code>${more.task}</code> <${Copy} text=${more.task} what="the id of the task" />` : "–"}</dd>
    ${more.request_id && html`<dt>request</dt><dd><code>${more.request_id}</code> <${Copy} text=${more.request_id} what="the id of the request" /></dd>`}
    <dt>model</dt><dd><bdi>${cell.model}</bdi>${more.reported_model && more.reported_model !== cell.model ? html`, the service says <b><bdi>${more.reported_model}</bdi></b>` : ""}</dd>
    <dt>attempts</dt><dd>${more.attempts}</dd>
    <dt>asked for in</dt><dd>line ${more.line} of <a href=${kept} target="_blank" rel="noreferrer">the manifest</a> <code class="quiet">${more.manifest.slice(0, 12)}</code></dd>`;
}

function axesOf(gallery, cell) {
  return gallery.axes
    .map((axis, index) => [axisLabel(axis.id), cell.at[index] < 0 ? undefined : axis.values[cell.at[index]]])
    .filter(([, value]) => value !== undefined);
}

// The cells before and after one as one reads the grid, and those of its own place.
function stepsFrom({ rows, cols, at, placeOf }, cell) {
  const [row, col] = placeOf(cell);
  if (row === undefined || row < 0 || col === undefined || col < 0) return {};
  const there = at(row, col), index = there.indexOf(wholeOf(cell)), wide = cols.length;
  const along = (step) => {
    for (let place = row * wide + col + step; place >= 0 && place < rows.length * wide; place += step) {
      const found = at(Math.floor(place / wide), place % wide);
      if (found.length) return step > 0 ? found[0] : found[found.length - 1];
    }
    return undefined;
  };
  return {
    above: there[index - 1], below: there[index + 1],
    before: there[index - 1] ?? along(-1), after: there[index + 1] ?? along(1),
  };
}
