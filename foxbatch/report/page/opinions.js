// What people think, as plain values: the lines of a log, and what stands after them.
// Pure; `report/ratings.py` says what a line is.

import { facesOf, fileOf } from "./files.js";

export const NOTHING = { stars: 0, mark: "", tags: [], note: "" };

// What is rated: the file in front.
export const subjectOf = (cell) => `${cell.job}\n${fileOf(cell)?.sha256 ?? ""}`;

const isText = (value, most) => typeof value === "string" && value.length <= most;
const isHash = (value) => typeof value === "string" && /^([0-9a-f]{64})?$/.test(value);
const isJob = (value) => typeof value === "string" && /^[a-z0-9]{1,64}$/.test(value);
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

// A line of somebody's file, or why it is none.
export function readLine(line) {
  const stamped = line && line.v === 1 && MOMENT.test(line.at) && isText(line.who, 80) && line.who;
  if (!stamped) return { error: "it does not say whose it is, and since when" };
  const { v, at, who } = line;
  if (line.vote) return isVote(line.vote) ? { line: { v, at, who, vote: line.vote } } : { error: "it is no vote" };
  const { job, sha256, stars = 0, mark = "", tags = [], note = "" } = line;
  const fits = isJob(job) && isHash(sha256) && Number.isInteger(stars) && stars >= 0 && stars <= 5 &&
    ["", "pick", "reject"].includes(mark) && isText(note, 4000) &&
    Array.isArray(tags) && tags.length <= 50 && tags.every((tag) => isText(tag, 80) && tag);
  return fits ? { line: { v, at, who, job, sha256, stars, mark, tags, note } } : { error: "it is no rating" };
}

function isVote(vote) {
  return typeof vote === "object" && isText(vote.axis, 200) && vote.a !== undefined && vote.b !== undefined &&
    Array.isArray(vote.jobs) && vote.jobs.length === 2 && vote.jobs.every(isJob) &&
    Array.isArray(vote.sha256) && vote.sha256.length === 2 && vote.sha256.every(isHash) &&
    ["a", "b", "tie", "neither", ""].includes(vote.winner);
}

// The lines of a JSONL text; what is none is told with its place.
export function readLines(text) {
  const lines = [], problems = [];
  text.split("\n").forEach((row, index) => {
    if (!row.trim()) return;
    let found;
    try { found = readLine(JSON.parse(row)); } catch { found = { error: "it is no JSON" }; }
    if (found.line) lines.push(found.line); else problems.push(`line ${index + 1}: ${found.error}`);
  });
  return { lines, problems };
}

// What a line is about: a later one about the same by the same person takes its place.
export function aboutOf(line) {
  if (!line.vote) return `${line.who}\n${line.job}\n${line.sha256}`;
  const { axis, a, b, jobs, sha256 } = line.vote;
  return JSON.stringify([line.who, axis, a, b, jobs, sha256]);
}

// What stands, oldest first. Of two at one moment the later in the list is the later.
export function standing(lines) {
  const last = new Map();
  for (const line of [...lines].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))) {
    const about = aboutOf(line);
    last.delete(about);
    last.set(about, line);
  }
  return [...last.values()];
}

const isEmpty = (rating) => !rating.stars && !rating.mark && !rating.note && !rating.tags.length;

// Everybody's ratings of each file, and what they come to together.
export function summaries(lines, me) {
  const found = new Map();
  for (const line of standing(lines)) {
    if (line.vote || isEmpty(line)) continue;
    const subject = `${line.job}\n${line.sha256}`;
    const there = found.get(subject) ?? { mine: null, all: [] };
    there.all.push(line);
    if (line.who === me) there.mine = line;
    found.set(subject, there);
  }
  for (const one of found.values()) {
    const stars = one.all.map((line) => line.stars).filter(Boolean);
    one.mean = stars.length ? stars.reduce((sum, value) => sum + value, 0) / stars.length : 0;
    one.picked = one.all.filter(({ mark }) => mark === "pick").map(({ who }) => who);
    one.rejected = one.all.filter(({ mark }) => mark === "reject").map(({ who }) => who);
    one.tags = [...new Set(one.all.flatMap(({ tags }) => tags))];
  }
  return found;
}

// ---- Filters: `picked`, `rejected`, `unrated`, `rated`, `stars>=3`, `tag:<tag>`

const WORDS = ["picked", "rejected", "unrated", "rated"];

// A word of a search that is about ratings, as a filter; null for any other word.
export function filterOf(word) {
  if (word.startsWith("is:") && WORDS.includes(word.slice(3))) return word.slice(3);
  if (/^stars>=[1-5]$/.test(word)) return word;
  return word.startsWith("tag:") && word.length > 4 ? word : null;
}

export function fits(filter, summary) {
  if (filter === "unrated") return !summary?.mine;
  if (!summary) return false;
  if (filter === "rated") return summary.mine !== null;
  if (filter === "picked") return summary.picked.length > 0;
  if (filter === "rejected") return summary.rejected.length > 0;
  if (filter.startsWith("stars>=")) return summary.mean >= Number(filter.slice(7));
  if (filter.startsWith("tag:")) return summary.tags.some((tag) => tag.toLowerCase() === filter.slice(4).toLowerCase());
  return true; // an address may say anything
}

// ---- For other programs

const COLUMNS = [
  "at", "who", "job", "name", "run", "model", "prompt", "file", "sha256", "stars", "mark", "tags", "note",
  "axis", "a", "b", "job_b", "winner",
];

// One row per rating or vote that stands, with what a person needs to know it again.
export function asCsv(gallery, lines) {
  const cells = new Map(gallery.cells.flatMap(facesOf).map((cell) => [subjectOf(cell), cell]));
  const rows = standing(lines).filter((line) => line.vote ? line.vote.winner : true).map((line) => row(gallery, cells, line));
  return [COLUMNS, ...rows].map((fields) => fields.map(field).join(",")).join("\r\n") + "\r\n";
}

function row(gallery, cells, line) {
  const { vote } = line;
  const [job, sha256] = vote ? [vote.jobs[0], vote.sha256[0]] : [line.job, line.sha256];
  const cell = cells.get(`${job}\n${sha256}`);
  const prompt = cell && cell.prompt !== null ? gallery.prompts[cell.prompt] : "";
  const known = cell ? [cell.name, gallery.runs[cell.run].label, cell.model, prompt, decoded(fileOf(cell)?.path ?? "")] : ["", "", "", "", ""];
  const said = vote ? ["", "", "", "", vote.axis, text(vote.a), text(vote.b), vote.jobs[1], vote.winner]
    : [line.stars || "", line.mark, line.tags.join("; "), line.note, "", "", "", "", ""];
  return [line.at, line.who, job, ...known, sha256, ...said];
}

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
function decoded(path) {
  try { return decodeURIComponent(path); } catch { return path; }
}

// What a spreadsheet would take for a formula is made plain text by an apostrophe.
export function field(value) {
  let said = String(value);
  if (/^[=+\-@\t\r]/.test(said)) said = `'${said}`;
  return /[",\r\n]/.test(said) ? `"${said.replaceAll('"', '""')}"` : said;
}

export function asJsonLines(lines) {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}
