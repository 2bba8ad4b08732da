// Charts that answer questions: each with its answer in a sentence, and as a table.

import { html, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { axisLabel, keyOf } from "./gallery.js";
import { costs, groups, outcomes, PHASES, runClocks, spread, stageTotals, STAGES, stepFor, throughput, timeline } from "./measures.js";
import { figure, span } from "./words.js";

const WINDOW = 100; // jobs in sight in the timeline
const MOST_VALUES = 40;
const FEW = 10; // of which no rate can be told
const ALIKE = 1.05; // no more between two medians is worth a word

export function Charts({ gallery, view, cells, change }) {
  const axes = gallery.axes.filter(({ values }) => values.length > 1);
  const axis = axes.find(({ id }) => id === view.by) ?? axes.find(({ id }) => id === "run" || id === "model")
    ?? axes.find(({ id }) => id.startsWith("cell.")) ?? axes[0] ?? gallery.axes[0];
  const clocks = useMemo(() => runClocks(gallery, cells), [cells]);
  const grouped = useMemo(() => groups(gallery, cells, axis.id), [cells, axis.id]);
  const only = (value, phase) => change({
    show: "grid", ...(value >= 0 ? { fix: { ...view.fix, [axis.id]: value } } : {}), ...(phase ? { phase: [phase] } : {}),
  });
  const shared = { gallery, cells, clocks, grouped, name: axisLabel(axis.id), only, change };
  return html`
    <div class="charts">
      <${Timeline} ...${shared} />
      <${Throughput} ...${shared} />
      ${axes.length > 1 && html`<label class="by">Compare by<select value=${axis.id} onChange=${(event) => change({ by: event.target.value })}>
        ${axes.map(({ id }) => html`<option value=${id}>${axisLabel(id)}</option>`)}</select></label>`}
      <div class="values">
        <${Latency} ...${shared} />
        <${Outcome} ...${shared} />
        <${Cost} ...${shared} />
      </div>
    </div>`;
}

// ---- Where did the time go?

function Timeline({ cells, clocks, gallery, change }) {
  const [order, setOrder] = useState("submitted");
  const [from, setFrom] = useState(0);
  const rows = useMemo(() => timeline(cells, clocks, order), [cells, clocks, order]);
  const first = Math.max(0, Math.min(from, rows.length - WINDOW));
  const shown = useMemo(() => rows.slice(first, first + WINDOW), [rows, first]);
  const { shares, all } = stageTotals(rows);
  const percent = (share) => `${Math.round(share * 100)} %`;
  const pauses = clocks.reduce((sum, clock) => sum + clock.pauses, 0), out = clocks.reduce((sum, clock) => sum + clock.left_out_s, 0);
  const answer = all === 0 ? "Nothing was submitted yet."
    : `Of all the time that jobs took, ${percent(shares[0])} was waiting, ${percent(shares[1])} making, and ${percent(shares[2])} downloading.` +
      (pauses ? ` ${pauses === 1 ? "A pause" : `${pauses} pauses`} of ${span(out)} in all ${pauses === 1 ? "is" : "are"} left out.` : "");
  const nameOf = ({ cell }) => (gallery.runs.length > 1 ? `${cell.name} (${gallery.runs[cell.run].label})` : cell.name);
  const make = ({ stages, phase, text, grid, font }) => ({
    type: "bar",
    data: {
      labels: shown.map(nameOf),
      datasets: bars(shown).map(({ label, data }, index) => ({
        label, data, backgroundColor: stages[index] ?? phase.failed,
        grouped: false, barPercentage: 1, categoryPercentage: 0.8, minBarLength: 2, borderSkipped: false,
      })),
    },
    options: {
      indexAxis: "y", ...basics(font, text),
      onClick: (_, hit) => { if (hit.length) change({ open: keyOf(gallery, shown[hit[0].index].cell) }); },
      scales: {
        x: { position: "top", ...seconds(text, grid, rangeOf(shown)), title: { display: true, text: order === "slowest" ? "since the job was submitted" : "since the run began", color: text } },
        y: { ticks: { color: text, autoSkip: false, font: { size: 10 }, callback: shortened(shown.map(nameOf), 32) }, grid: { display: false } },
      },
      plugins: { legend: legend(text), tooltip: { callbacks: { label: ({ datasetIndex, dataIndex, dataset }) => `${dataset.label}: ${span(shown[dataIndex].lasted[datasetIndex < STAGES.length ? datasetIndex : lastOf(shown[dataIndex])])}` } } },
    },
  });
  const controls = html`
    <label>Order<select value=${order} onChange=${(event) => { setOrder(event.target.value); setFrom(0); }}>
      <option value="submitted">as submitted</option><option value="slowest">slowest first</option></select></label>
    ${rows.length > WINDOW && html`<label>Jobs ${first + 1} to ${first + shown.length} of ${rows.length}
      <input type="range" min="0" max=${rows.length - WINDOW} step="10" value=${first} onInput=${(event) => setFrom(Number(event.target.value))} /></label>`}`;
  const table = () => ({
    head: ["job", ...STAGES, "in all"],
    rows: shown.map(({ cell, lasted, length }) => [{ text: nameOf({ cell }), onClick: () => change({ open: keyOf(gallery, cell) }) }, ...lasted.map(span), span(length)]),
  });
  return html`<${Figure} question="Where did the time go?" tall empty=${all === 0} ...${{ answer, make, table, controls }} height=${60 + Math.max(4, shown.length) * 15} inputs=${[shown, order]} />`;
}

// A bar for each stage; the one in which a job failed has a colour of its own.
function bars(rows) {
  const failed = (row, index) => row.cell.phase === "failed" && index === lastOf(row);
  const sets = STAGES.map((label, index) => ({ label, data: rows.map((row) => (failed(row, index) ? null : row.stages[index])) }));
  const ends = rows.map((row) => (failed(row, lastOf(row)) ? row.stages[lastOf(row)] : null));
  return ends.some(Boolean) ? [...sets, { label: "until it failed", data: ends }] : sets;
}
const lastOf = ({ stages }) => stages.findLastIndex(Boolean);

// ---- How fast did it go?

function Throughput({ gallery, cells, clocks }) {
  const { step, starts, runs, length } = useMemo(() => throughput(gallery, cells, clocks), [cells, clocks]);
  const best = Math.max(0, ...runs.flatMap(({ done }) => done)), most = Math.max(0, ...runs.flatMap(({ flight }) => flight));
  const count = runs.reduce((sum, run) => sum + run.count, 0);
  const answer = count === 0 ? "Nothing is done yet."
    : `${jobs(count)} ${count === 1 ? "was" : "were"} done in ${span(length)}` +
      (count < FEW ? "." : `; at best ${figure(best)} a minute, with up to ${figure(Math.round(most))} in flight.`);
  const several = runs.length > 1;
  const make = ({ lines, text, grid, font }) => ({
    type: "line",
    data: {
      labels: starts,
      datasets: runs.flatMap((run, index) => {
        const colour = lines[index % lines.length], line = { borderColor: colour, backgroundColor: colour, pointRadius: 0, borderWidth: 2, tension: 0 };
        const name = several ? `${run.label}: ` : "";
        return [{ ...line, label: `${name}done per minute`, data: run.done, yAxisID: "y", stepped: "middle" },
          { ...line, label: `${name}in flight`, data: run.flight, yAxisID: "flight", borderDash: [5, 4], borderWidth: 1.5, ...(several ? {} : { borderColor: lines[1], backgroundColor: lines[1] }) }];
      }),
    },
    options: {
      ...basics(font, text), interaction: { mode: "index", intersect: false },
      scales: {
        x: { type: "linear", ...seconds(text, grid, [0, length]), title: { display: true, text: "since the run began", color: text } },
        y: { min: 0, ticks: { color: text }, grid: { color: grid }, title: { display: true, text: "done per minute", color: text } },
        flight: { min: 0, position: "right", ticks: { color: text, precision: 0 }, grid: { display: false }, title: { display: true, text: "in flight", color: text } },
      },
      plugins: { legend: legend(text, "line"), tooltip: { callbacks: {
        title: ([{ parsed }]) => `${span(parsed.x)} to ${span(parsed.x + step)}`, label: ({ dataset, parsed }) => `${dataset.label}: ${figure(parsed.y)}` } } },
    },
  });
  const table = () => ({
    head: ["from", ...runs.flatMap(({ label }) => (several ? [`${label}: done per minute`, `${label}: in flight`] : ["done per minute", "in flight"]))],
    rows: starts.map((start, index) => [span(start), ...runs.flatMap(({ done, flight }) => [figure(done[index]), figure(flight[index])])]),
  });
  return html`<${Figure} question="How fast did it go?" empty=${length === 0} ...${{ answer, make, table }} height=${330} inputs=${[starts, runs]} />`;
}

// ---- Which value is slow?

function Latency({ grouped, name, only }) {
  const all = useMemo(() => spread(grouped), [grouped]);
  const { shown, left } = most(all, ({ p50 }) => p50);
  const sorted = [...all].sort((a, b) => a.p50 - b.p50), fast = sorted[0], slow = sorted[sorted.length - 1];
  const answer = !all.length ? "No job is finished yet."
    : all.length === 1 ? `Half of the jobs took less than ${span(fast.p50)}, and 1 in 20 more than ${span(fast.p95)}.`
    : slow.p50 < fast.p50 * ALIKE ? `All take about as long: half of the jobs less than ${span(slow.p50)}.`
    : `The slowest is “${slow.label}”: half of its jobs took less than ${span(slow.p50)}. The fastest is “${fast.label}”, with ${span(fast.p50)}.`;
  const make = ({ box, whisker, middle, text, grid, font }) => ({
    type: "bar",
    data: {
      labels: shown.map(({ label }) => label),
      datasets: [
        { label: "the middle one", data: shown.map(({ p50 }) => [p50, p50]), minBarLength: 3, barThickness: 18, backgroundColor: middle, order: 0 },
        { label: "half of the jobs", data: shown.map(({ p25, p75 }) => [p25, p75]), barThickness: 18, backgroundColor: box, order: 1 },
        { label: "9 of 10 jobs", data: shown.map(({ p5, p95 }) => [p5, p95]), barThickness: 4, backgroundColor: whisker, order: 2 },
      ].map((set) => ({ ...set, grouped: false, borderSkipped: false })),
    },
    options: {
      indexAxis: "y", ...basics(font, text), onClick: (_, hit) => { if (hit.length) only(shown[hit[0].index].value); },
      scales: {
        x: { ...seconds(text, grid, [0, Math.max(0, ...shown.map(({ p95 }) => p95))], 4), title: { display: true, text: "from acceptance to the answer that it is finished", color: text } },
        y: { ticks: { color: text, autoSkip: false, callback: shortened(shown.map(({ label }) => label)) }, grid: { display: false } },
      },
      plugins: { legend: legend(text), tooltip: { callbacks: {
        title: ([{ dataIndex }]) => `${shown[dataIndex].label} (${shown[dataIndex].count} jobs)`,
        label: ({ dataset, raw }) => (raw[0] === raw[1] ? `${dataset.label}: ${span(raw[0])}` : `${dataset.label}: ${span(raw[0])} to ${span(raw[1])}`) } } },
    },
  });
  const table = () => ({
    head: [name, "jobs", "5 % below", "a quarter below", "half below", "three quarters below", "95 % below", "slowest"],
    rows: all.map((one) => [valueCell(one, only), figure(one.count), ...[one.p5, one.p25, one.p50, one.p75, one.p95, one.most].map(span)]),
  });
  return html`<${Figure} question=${`Which ${name} is slow?`} empty=${!all.length} ...${{ answer, make, table }} note=${left} height=${90 + Math.max(2, shown.length) * 30} inputs=${[shown]} />`;
}

// ---- What came of each value?

function Outcome({ grouped, name, only }) {
  const all = useMemo(() => outcomes(grouped), [grouped]);
  const { shown, left } = most(all, ({ phases: found, cells }) => found.failed / cells.length);
  const phases = PHASES.filter((phase) => all.some((group) => group.phases[phase] > 0));
  const failed = all.reduce((sum, group) => sum + group.phases.failed, 0), count = all.reduce((sum, { cells }) => sum + cells.length, 0);
  const failedShare = ({ phases: { failed: bad }, cells }) => bad / cells.length;
  const worst = [...all].sort((a, b) => failedShare(b) - failedShare(a))[0];
  const answer = failed === 0 ? `None of ${jobs(count)} failed.`
    : `${figure(failed)} of ${jobs(count)} failed` + (all.length > 1 && isAhead(all, failedShare) ? `, most often with “${worst.label}”: ${worst.phases.failed} of ${worst.cells.length}.` : ".");
  const make = ({ phase: colours, text, grid, font }) => ({
    type: "bar",
    data: {
      labels: shown.map(({ label }) => label),
      datasets: phases.map((phase) => ({ label: phase, data: shown.map((group) => group.phases[phase]), backgroundColor: colours[phase], barThickness: 18 })),
    },
    options: {
      indexAxis: "y", ...basics(font, text), onClick: (_, hit) => { if (hit.length) only(shown[hit[0].index].value, phases[hit[0].datasetIndex]); },
      scales: {
        x: { stacked: true, ticks: { color: text, precision: 0, maxRotation: 0, maxTicksLimit: 6 }, grid: { color: grid }, title: { display: true, text: "jobs", color: text } },
        y: { stacked: true, ticks: { color: text, autoSkip: false, callback: shortened(shown.map(({ label }) => label)) }, grid: { display: false } },
      },
      plugins: { legend: legend(text) },
    },
  });
  const table = () => ({
    head: [name, "jobs", ...phases],
    rows: all.map((group) => [valueCell(group, only), figure(group.cells.length), ...phases.map((phase) => (group.phases[phase]
      ? { text: figure(group.phases[phase]), onClick: () => only(group.value, phase) } : "0"))]),
  });
  return html`<${Figure} question=${`What came of each ${name}?`} ...${{ answer, make, table }} note=${left} height=${80 + Math.max(2, shown.length) * 30} inputs=${[shown]} />`;
}

// ---- What did each value cost?

function Cost({ grouped, name, only }) {
  const all = useMemo(() => costs(grouped), [grouped]);
  const { shown, left } = most(all, ({ total }) => total);
  const total = all.reduce((sum, group) => sum + group.total, 0), lost = all.reduce((sum, group) => sum + group.lost, 0);
  const priced = all.reduce((sum, group) => sum + group.priced, 0), count = all.reduce((sum, { cells }) => sum + cells.length, 0);
  const answer = priced === 0 ? "No price is known."
    : `${figure(total)} credits in all, ${figure(total / priced)} for a job on average.` +
      (lost ? ` ${figure(lost)} of them went to jobs that failed.` : "") + (priced < count ? ` Of ${jobs(count - priced)} no price is known.` : "");
  const make = ({ phase, text, grid, font }) => ({
    type: "bar",
    data: {
      labels: shown.map(({ label }) => label),
      datasets: [
        { label: "jobs that did not fail", data: shown.map(({ used }) => used), backgroundColor: phase.done },
        { label: "jobs that failed", data: shown.map((group) => group.lost), backgroundColor: phase.failed },
      ].map((set) => ({ ...set, barThickness: 18 })),
    },
    options: {
      indexAxis: "y", ...basics(font, text), onClick: (_, hit) => { if (hit.length) only(shown[hit[0].index].value); },
      scales: {
        x: { stacked: true, ticks: { color: text, maxRotation: 0, maxTicksLimit: 6 }, grid: { color: grid }, title: { display: true, text: "credits", color: text } },
        y: { stacked: true, ticks: { color: text, autoSkip: false, callback: shortened(shown.map(({ label }) => label)) }, grid: { display: false } },
      },
      plugins: { legend: legend(text), tooltip: { callbacks: { afterBody: ([{ dataIndex }]) => `${figure(shown[dataIndex].mean)} for a job on average` } } },
    },
  });
  const table = () => ({
    head: [name, "jobs", "credits", "for a job on average", "for jobs that failed"],
    rows: all.map((group) => [valueCell(group, only), figure(group.cells.length), figure(group.total), figure(group.mean), figure(group.lost)]),
  });
  return html`<${Figure} question=${`What did each ${name} cost?`} empty=${priced === 0} ...${{ answer, make, table }} note=${left} height=${80 + Math.max(2, shown.length) * 30} inputs=${[shown]} />`;
}

const jobs = (count) => `${figure(count)} ${count === 1 ? "job" : "jobs"}`;

const valueCell = ({ label, value }, only) => ({ text: label, onClick: () => only(value) });

// Whether one is above all others.
function isAhead(all, weight) {
  const [first, second] = all.map(weight).sort((a, b) => b - a);
  return first > second;
}

// No chart holds hundreds of bars: the ones with the most are shown, the table has all.
function most(all, weight) {
  if (all.length <= MOST_VALUES) return { shown: all, left: "" };
  const shown = [...all].sort((a, b) => weight(b) - weight(a)).slice(0, MOST_VALUES);
  return { shown, left: `The ${MOST_VALUES} highest of ${all.length} values; the table has all.` };
}

// ---- A question, its answer, a chart, and the same as a table

function Figure({ question, answer, note, make, table, controls, height, inputs, tall, empty }) {
  const canvas = useRef(null);
  const scheme = useScheme();
  const [opened, setOpened] = useState(false);
  useEffect(() => {
    if (empty) return undefined;
    const chart = new Chart(canvas.current, make(colours()));
    return () => chart.destroy();
  }, [...inputs, scheme, empty]);
  if (empty) return html`<figure class="chart"><figcaption><h2>${question}</h2><p>${answer}</p></figcaption></figure>`;
  return html`
    <figure class=${`chart${tall ? " is-tall" : ""}`}>
      <figcaption><h2>${question}</h2><p dir="auto">${answer}</p>${note && html`<p class="quiet">${note}</p>`}</figcaption>
      ${controls && html`<div class="line">${controls}</div>`}
      <div class="paper" tabindex=${tall ? 0 : undefined} role=${tall ? "group" : undefined} aria-label=${tall ? question : undefined}>
        <div style=${{ height: `${height}px`, position: "relative" }}><canvas ref=${canvas} role="img" aria-label=${`${question} ${answer}`}></canvas></div></div>
      <details onToggle=${(event) => setOpened(event.target.open)}><summary>As a table</summary>${opened && html`<${Table} ...${table()} />`}</details>
    </figure>`;
}

function Table({ head, rows }) {
  const shown = (value) => (value?.onClick ? html`<button type="button" class="link" onClick=${value.onClick}>${value.text}</button>` : value);
  return html`<div class="scrolls"><table><thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
    <tbody>${rows.map(([first, ...rest]) => html`<tr><th scope="row" dir="auto">${shown(first)}</th>${rest.map((value) => html`<td>${shown(value)}</td>`)}</tr>`)}</tbody></table></div>`;
}

// ---- Looks

function useScheme() {
  const [scheme, setScheme] = useState(0);
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const look = () => setScheme((count) => count + 1);
    dark.addEventListener("change", look);
    return () => dark.removeEventListener("change", look);
  }, []);
  return scheme;
}

function colours() {
  const page = getComputedStyle(document.documentElement), of = (name) => page.getPropertyValue(`--${name}`).trim();
  const [good, busy, bad, odd, calm] = ["good", "busy", "bad", "odd", "calm"].map(of);
  return {
    text: of("text"), grid: of("edge"), font: getComputedStyle(document.body).fontFamily,
    stages: [of("chart-wait"), of("fox-bar"), of("chart-load")], lines: [of("fox-bar"), busy, good, bad, odd, calm],
    box: of("fox-bar"), whisker: of("quiet"), middle: of("text"),
    phase: {
      done: of("chart-good"), downloading: of("chart-load"), running: busy, submitting: busy, overdue: odd, held: of("chart-odd"),
      failed: of("chart-bad"), skipped: calm, new: of("chart-wait"),
    },
  };
}

const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

const basics = (family, color) => ({
  responsive: true, maintainAspectRatio: false, animation: isStill() ? false : { duration: 250 }, font: { family }, color,
});
const legend = (color, style) => ({
  position: "top", align: "start", labels: { color, boxWidth: style === "line" ? 28 : 14, boxHeight: style === "line" ? 0 : 10 },
});

// An axis of time with a mark at each round number of seconds, minutes or hours.
function seconds(color, grid, [from, to], marks = 7) {
  const step = stepFor(Math.max(to - from, 0.1), marks);
  const min = Math.floor(from / step) * step, max = Math.max(step, Math.ceil(to / step) * step);
  return { min, max, ticks: { color, stepSize: step, maxRotation: 0, autoSkipPadding: 12, callback: roundly }, grid: { color: grid } };
}
function roundly(value) {
  if (value < 60 || value % 60) return span(value);
  return value % 3600 ? `${Math.floor(value / 60)} min` : `${value / 3600} h`;
}

function rangeOf(rows) {
  const moments = rows.flatMap(({ stages }) => stages.filter(Boolean).flat());
  return moments.length ? [Math.min(...moments), Math.max(...moments)] : [0, 1];
}

const shortened = (names, most_ = 18) => (_, index) => (names[index].length > most_ ? `${names[index].slice(0, most_ - 1)}…` : names[index]);
