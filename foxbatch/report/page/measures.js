// What charts show, out of the times and costs of cells. Pure; seconds, unless said.

import { valueLabel } from "./gallery.js";

// ---- One job

export const STAGES = ["waiting", "making", "downloading"];

// Start and end of each stage of a job, in milliseconds since 1970; null where one is
// not known. What failed was in the last of them until it did. A service that does not say when it began is taken to begin at once.
export function stagesOf({ times }) {
  const { submitted, accepted, completed, downloaded, ended } = times;
  const began = times.running ?? accepted;
  const stage = (from, to) => (from !== undefined && to !== undefined && to >= from ? [from, to] : null);
  return [stage(submitted, began ?? ended), stage(began, completed ?? ended), stage(completed, downloaded ?? ended)];
}

export function spanOf(cell) {
  const known = stagesOf(cell).filter(Boolean);
  return known.length ? [known[0][0], known[known.length - 1][1]] : null;
}

// ---- The clock of a run: from its first submission, without the pauses in which
// nothing went on (a run that went on the next day is no longer for it).

const PAUSE_MS = 60_000;
const PAUSE_SHARE = 0.1; // of the time in which something went on
const LEFT_MS = 2_000; // of each pause, so that it is seen

export function runClock(cells) {
  const spans = cells.map(spanOf).filter(Boolean).sort((a, b) => a[0] - b[0]);
  if (!spans.length) return { at: () => 0, pauses: 0, left_out_s: 0, length_s: 0 };
  const blocks = [];
  for (const [from, to] of spans) {
    const last = blocks[blocks.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to); else blocks.push([from, to]);
  }
  const busy = blocks.reduce((sum, [from, to]) => sum + to - from, 0);
  const cut = Math.max(PAUSE_MS, busy * PAUSE_SHARE);
  let gone = blocks[0][0], pauses = 0;
  const shifts = blocks.map(([from], index) => {
    const pause = index ? from - blocks[index - 1][1] : 0;
    if (pause > cut) { gone += pause - LEFT_MS; pauses += 1; }
    return [from, gone];
  });
  const at = (moment) => {
    let low = 0, high = shifts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (shifts[middle][0] <= moment) low = middle; else high = middle - 1;
    }
    return (moment - shifts[low][1]) / 1000;
  };
  const end = blocks[blocks.length - 1][1];
  return { at, pauses, left_out_s: (gone - blocks[0][0]) / 1000, length_s: at(end) };
}

// A clock for each run; *runs* tells how many there are.
export function runClocks(gallery, cells) {
  return gallery.runs.map((_, run) => runClock(cells.filter((cell) => cell.run === run)));
}

// ---- Where the time went

// One row per job that was submitted: its stages, in seconds of the run's clock, or of
// its own where the slowest come first.
export function timeline(cells, clocks, order) {
  const rows = [];
  for (const cell of cells) {
    const stages = stagesOf(cell), span = spanOf(cell);
    if (!span) continue;
    const at = order === "slowest" ? (moment) => (moment - span[0]) / 1000 : clocks[cell.run].at;
    rows.push({
      cell, start: clocks[cell.run].at(span[0]), length: (span[1] - span[0]) / 1000,
      stages: stages.map((stage) => stage && stage.map(at)),
      lasted: stages.map((stage) => stage && (stage[1] - stage[0]) / 1000),
    });
  }
  return rows.sort(order === "slowest" ? (a, b) => b.length - a.length : (a, b) => a.start - b.start);
}

export function stageTotals(rows) {
  const totals = STAGES.map((_, stage) => rows.reduce((sum, { lasted }) => sum + (lasted[stage] ?? 0), 0));
  const all = totals.reduce((sum, one) => sum + one, 0);
  return { totals, shares: totals.map((one) => (all ? one / all : 0)), all };
}

// ---- By the values of an axis

// Cells by value, in the order of the axis, the ones without a value last.
export function groups(gallery, cells, axis) {
  const at = gallery.axisOf.get(axis);
  const found = new Map();
  for (const cell of cells) {
    const value = cell.at[at];
    if (!found.has(value)) found.set(value, []);
    found.get(value).push(cell);
  }
  const last = (value) => (value < 0 ? Infinity : value);
  return [...found].sort(([a], [b]) => last(a) - last(b)).map(([value, there]) => ({
    value, cells: there, label: value < 0 ? "none" : valueLabel(gallery.axes[at].values[value]),
  }));
}

export function quantile(sorted, share) {
  const place = (sorted.length - 1) * share, below = Math.floor(place);
  const above = sorted[below + 1] ?? sorted[below];
  return sorted[below] + (above - sorted[below]) * (place - below);
}

// How latencies are spread in each group that has any.
export function spread(grouped) {
  return grouped.map((group) => {
    const sorted = group.cells.map((cell) => cell.latency_s).filter((value) => value !== null).sort((a, b) => a - b);
    if (!sorted.length) return null;
    const [p5, p25, p50, p75, p95] = [0.05, 0.25, 0.5, 0.75, 0.95].map((share) => quantile(sorted, share));
    return { ...group, count: sorted.length, p5, p25, p50, p75, p95, most: sorted[sorted.length - 1] };
  }).filter(Boolean);
}

export const PHASES = ["done", "downloading", "running", "submitting", "overdue", "held", "failed", "skipped", "new"];

export function outcomes(grouped) {
  return grouped.map((group) => ({
    ...group,
    phases: Object.fromEntries(PHASES.map((phase) => [phase, group.cells.filter((cell) => cell.phase === phase).length])),
  }));
}

export function costs(grouped) {
  return grouped.map((group) => {
    const priced = group.cells.filter(({ credits }) => credits !== null);
    const sum = (some) => some.reduce((total, { credits }) => total + credits, 0);
    const total = sum(priced), lost = sum(priced.filter(({ phase }) => phase === "failed"));
    return { ...group, total, lost, used: total - lost, priced: priced.length, mean: priced.length ? total / priced.length : null };
  });
}

// ---- Throughput

const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
const MOST_STEPS = 40;

// The smallest round step of which there are at most so many.
export function stepFor(length_s, most = MOST_STEPS) {
  return STEPS_S.find((step) => length_s / step <= most) ?? Math.ceil(length_s / most / 86_400) * 86_400;
}

// For each run and step of its clock: jobs done a minute, and how many were in flight,
// on average over the step.
export function throughput(gallery, cells, clocks) {
  const length = Math.max(...clocks.map((clock) => clock.length_s));
  const step = stepFor(length), steps = Math.max(1, Math.ceil((length + 0.001) / step));
  const runs = gallery.runs.map(({ label }, run) => {
    const done = Array(steps).fill(0), flight = Array(steps).fill(0);
    for (const cell of cells) {
      const span = cell.run === run ? spanOf(cell) : null;
      if (!span) continue;
      const [from, to] = span.map(clocks[run].at);
      if (cell.phase === "done") done[Math.min(steps - 1, Math.floor(to / step))] += 1;
      for (let at = Math.floor(from / step); at < steps && at * step < to; at++) {
        flight[at] += (Math.min(to, (at + 1) * step) - Math.max(from, at * step)) / step;
      }
    }
    return { label, done: done.map((count) => (count * 60) / step), flight, count: done.reduce((sum, one) => sum + one, 0) };
  });
  return { step, starts: Array.from({ length: steps }, (_, index) => index * step), runs, length };
}
