// The page: its view, and what shows it.

import { html, render, useCallback, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { keyOf, loadGallery } from "./gallery.js";
import { Names, faceKey, wholeOf } from "./files.js";
import { fronts, useFrontKeys } from "./fronts.js";
import { fromHash, toHash } from "./view.js";
import { arrange, chosen, ratingFilters } from "./arrange.js";
import { Toolbar } from "./toolbar.js";
import { Grid } from "./grid.js";
import { Wall } from "./wall.js";
import { Live, useLive } from "./live.js";
import { Badge } from "./state.js";
import { Details } from "./details.js";
import { Transport } from "./transport.js";
import { ratings, useRatings } from "./ratings.js";
import { RatingKeys } from "./rate.js";
import { KeepRatings } from "./keeping.js";
import { Help } from "./help.js";
import { Vote } from "./vote.js";
import { Charts } from "./charts.js";
import { Compare } from "./compare.js";
import { Picks, toggled } from "./picks.js";

function Page({ gallery }) {
  const [view, setView] = useState(() => fromHash(gallery, location.hash));
  const now = useRef(view);
  now.current = view;
  const change = useCallback((changes, { often = false } = {}) => {
    const next = { ...now.current, ...changes };
    now.current = next;
    const hash = `#${toHash(gallery, next)}`;
    // What changes with every key makes no step to go back to.
    if (often) history.replaceState(null, "", hash); else history.pushState(null, "", hash);
    setView(next);
  }, []);
  useEffect(() => {
    const back = () => setView(fromHash(gallery, location.hash));
    addEventListener("popstate", back);
    addEventListener("hashchange", back);
    return () => { removeEventListener("popstate", back); removeEventListener("hashchange", back); };
  }, []);

  const live = useLive(gallery, ratings);
  const { version } = live;
  const rated = useRatings((now) => (ratingFilters(view).length ? now.version : 0));
  const cells = useMemo(() => chosen(gallery, view, (cell) => ratings.ofAll(cell)),
    [view.q, view.phase, view.model, view.fix, view.sort, view.rated, rated, version]);
  const arranged = useMemo(() => arrange(gallery, view, cells), [cells, view.rows, view.cols, view.orows, view.ocols]);
  const byKey = useMemo(() => new Names(gallery), [version]);
  const face = byKey.get(view.open), opened = face && wholeOf(face);
  const there = opened ? arranged.at(...arranged.placeOf(opened)) : [];

  // Of several jobs in one place, which one is on top: by the first of them.
  const [turns, setTurns] = useState(() => new Map());
  const onOpen = useCallback((cell) => change({ open: faceKey(gallery, fronts.of(gallery, cell)) }), []);
  const onTurn = useCallback((cells, step) => setTurns((before) => {
    const first = cells[0].index, count = cells.length;
    return new Map(before).set(first, ((before.get(first) ?? 0) + step + count) % count);
  }), []);
  const onPick = useCallback((cell) => change({ picked: toggled(now.current.picked, faceKey(gallery, fronts.of(gallery, cell))) }), []);
  useFrontKeys(gallery, byKey, view, change);
  // What lies under the comparison stays as it is.
  const under = useRef("grid");
  if (view.show !== "compare") under.current = view.show;
  const shown = under.current;
  const onClose = useCallback(() => change({ open: "" }), []);
  useEffect(() => {
    const keyed = (event) => {
      if (event.key === "Escape" && now.current.open && !document.querySelector("dialog[open]")) onClose();
    };
    addEventListener("keydown", keyed);
    return () => removeEventListener("keydown", keyed);
  }, []);

  // What comes and goes stands in a place of its own: a dialog that Preact moves among
  // others loses the focus.
  return html`
    <header class="bar"><h1 dir="auto" title=${gallery.title}>${gallery.title}</h1><${Live} ...${live} /><${Transport} /><div class="line"><${KeepRatings} gallery=${gallery} /><${Help} /></div></header>
    <${Toolbar} ...${{ gallery, view, change }} count=${cells.length} />
    <main class=${opened ? "beside" : ""}>
      ${cells.length === 0 ? html`<p class="waiting">${gallery.cells.length ? "No job is like that." : "There are no jobs yet."}</p>`
        : shown === "wall" ? html`<${Wall} ...${{ gallery, view, cells, onOpen, onPick, opened }} />`
        : shown === "vote" ? html`<${Vote} ...${{ gallery, view, cells, change }} />`
        : shown === "charts" ? html`<${Charts} ...${{ gallery, view, cells, change }} />`
        : html`<${Grid} ...${{ gallery, view, arranged, turns, onTurn, onOpen, onPick, opened }} />`}
      ${opened && html`<${Details} ...${{ gallery, arranged, change, onOpen, onClose }} cell=${face}><${Also} ...${{ gallery, there, opened, onOpen }} /><//>`}
    </main>
    <div><${Picks} ...${{ view, byKey, change }} /></div>
    <div>${view.show === "compare" && html`<${Compare} ...${{ gallery, view, byKey, change }} back=${shown} />`}</div>
    <${RatingKeys} byKey=${byKey} view=${view} />`;
}

// The other jobs at the place of the one that is open.
function Also({ gallery, there, opened, onOpen }) {
  if (there.length < 2) return null;
  return html`<h3>${there.length} jobs are in this place</h3>
    <ol class="also">${there.map((cell) => html`<li key=${keyOf(gallery, cell)}>
      <button type="button" class="link" aria-current=${cell === opened} onClick=${() => onOpen(cell)}><bdi>${cell.name}</bdi></button>
      <${Badge} phase=${cell.phase} /></li>`)}</ol>`;
}

async function start() {
  const page = document.getElementById("page");
  try {
    const gallery = await loadGallery();
    document.title = `${gallery.title} · foxbatch`;
    await ratings.start();
    page.textContent = "";
    render(html`<${Page} gallery=${gallery} />`, page);
  } catch (error) {
    page.textContent = `The gallery cannot be shown: ${error.message}`;
    throw error;
  }
}

start();
