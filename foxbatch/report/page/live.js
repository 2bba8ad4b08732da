// A page that `foxbatch view` serves: its data comes from there, and changes come as
// they happen. A page from a disk has no such server and stays as it was written.

import { html, useEffect, useState } from "./vendor/preact-htm.js";

const meta = document.querySelector('meta[name="foxbatch-live"]');
// A page that holds its data asks nobody for it, whoever serves it.
export const isLive = meta !== null && document.getElementById("gallery").textContent === "";

// The gallery as it is now, and the name of this moment: changes go on from there.
export async function liveGallery() {
  const reply = await fetch("data");
  if (!reply.ok) throw new Error(await reply.text());
  const gallery = await reply.json();
  gallery.moment = reply.headers.get("X-Foxbatch-Moment");
  return gallery;
}

export async function liveDetails(index) {
  const reply = await fetch(`details?cell=${index}`);
  if (!reply.ok) throw new Error(await reply.text());
  return reply.json();
}

// Put changes into the gallery. What did not change stays the same object.
export function patch(gallery, { axes, prompts, cells }) {
  if (axes) {
    gallery.axes = axes;
    gallery.axisOf = new Map(axes.map((axis, index) => [axis.id, index]));
  }
  if (prompts) gallery.prompts = prompts;
  gallery.cells = gallery.cells.slice();
  for (const [index, cell] of cells) gallery.cells[index] = { ...cell, index };
}

// How often the gallery has changed, and what is known of the run: `live`, `ended`,
// `lost` (no word from the server), `gone` (it has ended) or `damaged` (with a reason).
// What people rate is told to `ratings`: it asks for all of it at each beginning, and no
// line is missed meanwhile.
export function useLive(gallery, ratings) {
  const [now, setNow] = useState({ version: 0, state: isLive ? "live" : "", why: "" });
  useEffect(() => {
    if (!isLive) return undefined;
    const source = new EventSource(`events?since=${encodeURIComponent(gallery.moment)}`);
    const told = (name, take) => source.addEventListener(name, (event) => take(JSON.parse(event.data)));
    let state = { state: "live", why: "" };
    const changed = (more) => setNow((before) => ({ ...before, ...more, version: before.version + 1 }));
    told("cells", (news) => { patch(gallery, news); changed(state); });
    told("ratings", (lines) => ratings.take(lines));
    told("state", (said) => {
      state = said;
      if (said.state === "gone") source.close();
      setNow((before) => ({ ...before, ...said }));
    });
    told("anew", async () => {
      const fresh = await liveGallery();
      patch(gallery, { ...fresh, cells: [] });
      gallery.cells = fresh.cells.map((cell, index) => ({ ...cell, index }));
      gallery.runs = fresh.runs;
      changed(state);
    });
    source.onerror = () => setNow((before) => ({ ...before, state: "lost", why: "" }));
    source.onopen = () => {
      setNow((before) => ({ ...before, ...state }));
      ratings.load();
    };
    return () => source.close();
  }, []);
  return now;
}

const SAID = {
  live: ["is-busy", "Live", "The page changes as the run goes on."],
  ended: ["is-good", "The run has ended", "Nothing runs now. The page goes on when a run does."],
  lost: ["is-bad", "Connection lost", "foxbatch view does not answer. The page goes on when it is there again."],
  gone: ["is-calm", "No longer live", "foxbatch has ended. Type foxbatch view to go on looking."],
  damaged: ["is-bad", "The ledger cannot be read", ""],
};

export function Live({ state, why }) {
  if (!state) return null;
  const [kind, label, title] = SAID[state] ?? SAID.live;
  return html`<span class=${`live badge ${kind}`} role="status" title=${why || title}><span class="dot" aria-hidden="true"></span>${label}</span>`;
}
