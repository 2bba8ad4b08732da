// What people think of cells: kept, shown on each cell, and told to whoever listens.
//
// A page that `foxbatch view` serves keeps it in the run directory, and hears at once what
// others do, and other windows of the same person. One from a disk
// keeps it in this browser, and is asked to export it: a browser may forget.

import { html, useLayoutEffect, useState } from "./vendor/preact-htm.js";
import { faceKey, facesOf } from "./files.js";
import { NOTHING, standing, subjectOf, summaries, readLine } from "./opinions.js";

// ---- Where lines are kept. `add` takes a rating or vote without `v`, `at` and `who`, and
// returns the line that it became, if somebody else says when that was; `load` returns
// all lines of all people.

class OnServer {
  lasts = true;
  #last = Promise.resolve();
  constructor({ token, who }) {
    this.token = token;
    this.who = who;
  }

  async load() {
    const reply = await fetch("ratings", { headers: { "X-Foxbatch-Token": this.token } });
    if (!reply.ok) throw new Error(`what was rated cannot be read: ${await reply.text()}`);
    return reply.json();
  }

  // One after the other: the order in which they arrive says which one counts.
  add(said) {
    const sent = this.#last.then(() => this.#send(said));
    this.#last = sent.catch(() => {});
    return sent;
  }

  async #send(said) {
    const reply = await fetch("ratings", {
      method: "POST", body: JSON.stringify(said),
      headers: { "X-Foxbatch-Token": this.token, "Content-Type": "application/json" },
    });
    if (!reply.ok) throw new Error(await reply.text() || `status ${reply.status}`);
    return reply.json();
  }
}

class InBrowser {
  lasts = false;
  key = `foxbatch.ratings:${location.pathname}`;

  // A browser may have no storage for pages from a disk, or none that is left.
  async load() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key)) ?? {};
      this.who = kept.who;
      this.exported = kept.exported ?? "";
      return (kept.lines ?? []).map(readLine).map(({ line }) => line).filter(Boolean);
    } catch {
      return [];
    }
  }

  async add() {}

  keep(lines, who, exported) {
    try {
      localStorage.setItem(this.key, JSON.stringify({ who, exported, lines }));
      return true;
    } catch {
      return false;
    }
  }
}

// ---- What is known now

class Ratings {
  lines = [];
  me = "me";
  exported = ""; // the moment of the last line that was exported
  problem = "";
  version = 0;
  #sent = []; // lines that the server has not taken yet, oldest first
  #unread = ""; // why they could not be loaded
  #found = new Map();
  #listeners = new Set();

  async start() {
    const live = document.querySelector('meta[name="foxbatch-live"]');
    this.store = live ? new OnServer({ token: live.content, who: live.dataset.who }) : new InBrowser();
    await this.load();
    this.me = this.store.who || "me";
    this.exported = this.store.exported ?? "";
    this.#changed();
    if (this.store.lasts) return;
    addEventListener("storage", async (event) => { // another window of this page
      if (event.key !== this.store.key) return;
      this.lines = await this.store.load();
      this.exported = this.store.exported ?? "";
      this.#changed();
    });
    addEventListener("beforeunload", (event) => { if (this.unsaved) event.preventDefault(); });
  }

  // All there is now, beside what is known already.
  async load() {
    try {
      this.#merge(await this.store.load());
      if (this.problem === this.#unread) this.problem = "";
    } catch (error) {
      this.problem = this.#unread = error.message;
    }
    this.#changed();
  }

  // How many lines of this person exist nowhere but in this browser.
  get unsaved() {
    return this.store.lasts ? 0 : this.lines.filter(({ at, who }) => who === this.me && at > this.exported).length;
  }

  of(cell) {
    return this.#found.get(subjectOf(cell));
  }

  // Of each of its files.
  ofAll(cell) {
    return facesOf(cell).map((one) => this.of(one));
  }

  // Whether somebody picked another file than the one in front.
  pickedElsewhere(cell) {
    return facesOf(cell).some((one) => one !== cell && this.of(one)?.picked.length > 0);
  }

  get tags() {
    return [...new Set([...this.#found.values()].flatMap(({ tags }) => tags))].sort();
  }

  mine(cell) {
    return this.of(cell)?.mine ?? NOTHING;
  }

  rate(cell, changes) {
    const [job, sha256] = subjectOf(cell).split("\n");
    const { stars, mark, tags, note } = { ...this.mine(cell), ...changes };
    return this.add({ job, sha256, stars, mark, tags, note });
  }

  // Shown at once; a server that refuses it takes it back and says why.
  async add(said) {
    const line = { v: 1, at: this.#moment(), who: this.me, ...said };
    this.lines = [...this.lines, line];
    this.problem = "";
    if (this.store.lasts) this.#sent.push(line);
    this.#keep();
    try {
      const kept = await this.store.add(said);
      if (kept) this.#replace(line, [kept]);
    } catch (error) {
      this.problem = `This was not kept: ${error.message}`;
      this.#replace(line, []);
    }
  }

  // Lines of other people, or of another browser.
  take(lines) {
    this.#merge(lines);
    this.#keep();
  }

  rename(who) {
    this.lines = this.lines.map((line) => (line.who === this.me ? { ...line, who } : line));
    this.me = who;
    this.#keep();
  }

  wasExported() {
    this.exported = this.lines.reduce((last, { at }) => (at > last ? at : last), this.exported);
    this.#keep();
  }

  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // What this page has sent and nobody has kept yet is later than all that is.
  #merge(lines) {
    this.lines = standing([...this.lines.filter((line) => !this.#sent.includes(line)), ...lines]);
    for (const line of this.#sent) {
      line.at = this.#moment();
      this.lines.push(line);
    }
  }

  #replace(line, kept) {
    this.#sent = this.#sent.filter((one) => one !== line);
    this.lines = this.lines.filter((one) => one !== line);
    this.#merge(kept);
    this.#changed();
  }

  // No two lines of a page are of one moment: which one is the last is told by it.
  #moment() {
    const last = this.lines.reduce((found, { at }) => (at > found ? at : found), "");
    const now = new Date().toISOString();
    return now > last ? now : new Date(Date.parse(last) + 1).toISOString();
  }

  #keep() {
    if (!this.store.lasts) {
      this.lines = standing(this.lines);
      const kept = this.store.keep(this.lines, this.me, this.exported);
      this.problem = kept ? "" : "This browser keeps nothing for pages from a disk: export before you leave.";
    }
    this.#changed();
  }

  #changed() {
    this.#found = summaries(this.lines, this.me);
    this.version += 1;
    for (const listener of [...this.#listeners]) listener();
  }
}

export const ratings = new Ratings();

// What *read* says about the ratings now; asked again whenever they change.
export function useRatings(read) {
  const [, setSeen] = useState(0);
  useLayoutEffect(() => ratings.listen(() => setSeen(ratings.version)), []);
  return read(ratings);
}

// ---- On a cell

// Also says to keys which cell this is.
export function Marks({ gallery, cell }) {
  const found = useRatings((now) => now.of(cell));
  const key = faceKey(gallery, cell);
  if (!found) return html`<span class="marks" data-key=${key}></span>`;
  const { mine, mean, all, picked, rejected, tags } = found;
  const stars = all.length > 1 || !mine ? mean : mine.stars;
  const note = all.some((one) => one.note);
  return html`
    <span class="marks" data-key=${key} title=${all.map(inWords).join("\n")}>
      ${picked.length > 0 && html`<b class="mark is-pick">✓${picked.length > 1 ? picked.length : ""}<span class="unseen"> picked</span></b>`}
      ${rejected.length > 0 && html`<b class="mark is-reject">✕${rejected.length > 1 ? rejected.length : ""}<span class="unseen"> rejected</span></b>`}
      ${stars > 0 && html`<b class="mark is-stars">★ ${Math.round(stars * 10) / 10}<span class="unseen"> of 5 stars</span></b>`}
      ${tags.length > 0 && html`<span class="mark is-tag">${tags[0]}${tags.length > 1 ? ` +${tags.length - 1}` : ""}</span>`}
      ${note && html`<span class="mark" aria-label="has a note">✎</span>`}
    </span>`;
}

// Names and notes are fenced off: what they do to the direction of text ends with them.
const fenced = (text) => `\u2068${text}\u2069`;

export function inWords({ who, stars, mark, tags, note }) {
  const said = [
    stars ? `${stars} of 5 stars` : "", { pick: "picked", reject: "rejected" }[mark] ?? "",
    tags.length ? `tags ${tags.map(fenced).join(", ")}` : "", note && fenced(note),
  ];
  return `${fenced(who)}: ${said.filter(Boolean).join(", ")}`;
}
