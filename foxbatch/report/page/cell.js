// One cell: its poster or film, or why there is none.

import { html, useState } from "./vendor/preact-htm.js";
import { posterOf, urlOf } from "./gallery.js";
import { faceKey, fileOf, numberOf } from "./files.js";
import { Stepper, fronts, useFront } from "./fronts.js";
import { State } from "./state.js";
import { size, span } from "./words.js";
import { Film } from "./film.js";
import { Poster } from "./poster.js";
import { Marks } from "./ratings.js";

const NARROW = 110; // there the name needs all of the line

// *picked* names the files of it that are chosen to be compared.
export function Cell({ gallery, cell: whole, room, onOpen, picked, onPick }) {
  const cell = useFront(gallery, whole), file = fileOf(cell);
  const chosen = picked.split(" ").includes(faceKey(gallery, cell));
  const classes = `cell is-${cell.phase}${chosen ? " is-picked" : ""}`;
  return html`
    <figure class=${classes} title=${cell.name}>
      <div class="frame" onClick=${onOpen}>
        ${file ? html`<${Shown} ...${{ gallery, cell, file, room }} />`
               : html`<${State} cell=${cell} />`}
        ${onPick && html`<label class="pick" title="Compare (c)" onClick=${(event) => event.stopPropagation()}>
          <input type="checkbox" tabindex="-1" checked=${chosen} aria-label=${`Compare ${cell.name}`} onChange=${onPick} /></label>`}
        <${Stepper} cell=${cell} show=${(next) => fronts.show(gallery, next)} />
      </div>
      <figcaption>
        <span class="name"><bdi>${cell.name}</bdi></span>
        <${Marks} ...${{ gallery, cell }} />
        ${file?.duration_s && room[0] >= NARROW && html`<span class="fact">${span(file.duration_s)}</span>`}
      </figcaption>
    </figure>`;
}

// A file as it can be looked at in its frame; where that is small, `room` says how wide
// and high it is.
export function Shown({ gallery, cell, file, room, large = false }) {
  const url = urlOf(gallery, cell, file), poster = posterOf(gallery, cell, file);
  const label = cell.files.length > 1 ? `${cell.name}, ${numberOf(cell)}` : cell.name;
  if (file.kind === "video" || file.kind === "audio") {
    return html`<${Film} ...${{ url, poster, file, room, large }} label=${label} />`;
  }
  if (file.kind === "image") {
    return html`<${Picture} ...${{ url, room, large }} src=${large ? url : poster ?? url} label=${label} />`;
  }
  if (file.text) return html`<${Written} ...${{ file, url, large }} />`;
  const name = decodeURIComponent(file.path.split("/").pop());
  return html`<a class="document" href=${url} target="_blank" rel="noreferrer" tabindex=${large ? 0 : -1}
    onClick=${(event) => event.stopPropagation()}><b>${file.kind}</b><span><bdi>${name}</bdi> ${size(file.bytes)}</span></a>`;
}

// A poster that is missing is no harm while the picture itself is there.
function Picture({ src, url, room, label, large }) {
  // A cell may become another one: what failed is known by its address.
  const [bad, setBad] = useState("");
  const shown = bad === src ? url : src, onError = () => setBad(shown);
  if (bad === url) return html`<p class="broken"><b>This picture cannot be shown</b><span>It is missing, damaged, or of a kind that this browser does not know.</span></p>`;
  if (!large) return html`<${Poster} url=${shown} ...${{ room, label, onError }} />`;
  return html`<img src=${shown} alt=${label} decoding="async" draggable=${false} onError=${onError} />`;
}

// A file in little: its poster, or a sign.
export function Thumb({ gallery, cell }) {
  const file = fileOf(cell), poster = posterOf(gallery, cell, file) ?? (file.kind === "image" ? urlOf(gallery, cell, file) : null);
  if (poster) return html`<img src=${poster} alt="" loading="lazy" decoding="async" draggable=${false} onError=${(event) => { event.target.hidden = true; }} />`;
  return html`<span class="sign" aria-hidden="true">${{ video: "▶", audio: "♪" }[file.kind] ?? "¶"}</span>`;
}

// ---- Text

// A result in words. JSON is set line by line where all of it is there.
export function readable(file) {
  if (file.kind !== "json") return file.text;
  try {
    return JSON.stringify(JSON.parse(file.text), null, 2);
  } catch {
    return file.text; // its beginning only, or no JSON after all
  }
}

function Written({ file, url, large }) {
  const text = readable(file);
  const body = html`<pre class=${`text is-${file.kind === "json" ? "code" : "prose"}`} dir="auto" tabindex=${large ? 0 : undefined}>${text}</pre>`;
  if (!large) return body;
  return html`<div class="written">${body}
    ${file.more && html`<p class="quiet">This is its beginning. <a href=${url} target="_blank" rel="noreferrer">Open the file</a> for all ${size(file.bytes)}.</p>`}</div>`;
}
