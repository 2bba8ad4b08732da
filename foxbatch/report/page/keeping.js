// Ratings out of the page and into it: as CSV for people, as JSON lines for programs.

import { html, useRef, useState } from "./vendor/preact-htm.js";
import { asCsv, asJsonLines, readLines, standing } from "./opinions.js";
import { ratings, useRatings } from "./ratings.js";

export function KeepRatings({ gallery }) {
  const now = useRatings(({ lines, me, unsaved, store, problem }) => ({ lines, me, unsaved, lasts: store.lasts, problem }));
  const [told, setTold] = useState("");
  const chooser = useRef(null);
  function download(type) {
    const csv = type === "csv";
    const text = csv ? asCsv(gallery, now.lines) : asJsonLines(standing(now.lines));
    saved(text, csv ? "text/csv" : "application/jsonl", `${fileName(now.me)}.${csv ? "csv" : "jsonl"}`);
    ratings.wasExported();
  }
  async function take(event) {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    const { lines, problems } = readLines(await file.text());
    if (problems.length) {
      setTold(`Nothing was taken from ${file.name}: ${problems.slice(0, 3).join("; ")}${problems.length > 3 ? ` and ${problems.length - 3} more` : ""}`);
      return;
    }
    ratings.take(lines);
    const people = new Set(lines.map(({ who }) => who)).size;
    setTold(`${lines.length} ${lines.length === 1 ? "line" : "lines"} of ${people} ${people === 1 ? "person" : "people"} taken from ${file.name}`);
  }
  return html`
    <details class="menu"><summary>Ratings${now.unsaved > 0 && html`<span class="count" title="not exported yet">${now.unsaved}</span>`}</summary>
      <div class="sheet">
        ${now.lasts ? html`<p class="quiet">Kept in the folder <code>ratings</code> of the run, as ${now.me}.</p>` : html`
          <label>Your name<input maxlength="80" value=${now.me} onChange=${(event) => ratings.rename(event.target.value.trim() || "me")} /></label>
          <p class="quiet" role="status">${now.unsaved > 0
            ? `${now.unsaved} ${now.unsaved === 1 ? "rating is" : "ratings are"} only in this browser. Export to keep them.`
            : "Nothing is waiting to be exported."}
            ${now.me === "me" ? " Say who you are first, so that ratings of several people can be told apart." : ""}</p>`}
        <p class="line"><button type="button" onClick=${() => download("csv")}>Export CSV</button>
          <button type="button" onClick=${() => download("jsonl")}>Export JSON lines</button>
          ${!now.lasts && html`<button type="button" onClick=${() => chooser.current.click()}>Import …</button>
            <input type="file" ref=${chooser} hidden accept=".jsonl,application/jsonl" aria-label="File of ratings" onChange=${take} />`}</p>
        <p class="quiet">JSON lines belong into the folder <code>ratings</code> of the run; those of several people merge.</p>
        ${told && html`<p role="status" dir="auto">${told}</p>`}
        ${now.problem && html`<p class="warning" role="alert">${now.problem}</p>`}
      </div>
    </details>`;
}

const fileName = (who) => who.toLowerCase().replace(/[^a-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40) || "ratings";

function saved(text, type, name) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
