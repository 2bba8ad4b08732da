// Watches the sandbox it came from. It only asks for /sandbox/recent and
// /sandbox/overview, and puts text into the page as text, never as markup.

const BUSY_MS = 500; // between two looks while something is generated
const QUIET_MS = 1000;
const LOST_MS = 2000;
const SPARING = 5; // a busy sandbox is looked at less often
const NEWS_MS = 5000; // between two sentences for those who listen to the page
const KEPT_REQUESTS = 200;
const KEPT_RATES = 60;

const STATUS_LOOKS = {
  pending: "", processing: "is-busy", completed: "is-good", failed: "is-bad",
};
const KINDS = [
  [/\.(mp4|webm|mov)$/i, "video", "▶"], [/\.(png|jpe?g|webp|gif)$/i, "picture", "▦"],
  [/\.(mp3|wav|ogg|opus|m4a)$/i, "sound", "♪"], [/\.zip$/i, "archive", "▤"],
];

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const still = matchMedia("(prefers-reduced-motion: reduce)");

const rows = new Map(); // of tasks, by id
const rates = [];
let seq = 0;
let startedAt = null;
let before = null; // the requests in all, and when that was
let news = { tasks: 0, ended: new Map(), faults: 0, told: 0 };
let timer = 0;

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

// ---- How it is used

function showUse() {
  const url = location.origin;
  const key = document.documentElement.dataset.key;
  say($("address"), url);
  say($("environment"),
    `export FOXAPI_BASE_URL=${url}\nexport FOXAPI_API_KEY=${key || "…"}`);
  say($("curl"),
    `curl -s ${url}/v1/videos/generations \\\n`
    + `  -H "Authorization: Bearer ${key || "$FOXAPI_API_KEY"}"`
    + ` -H "Content-Type: application/json" \\\n`
    + `  -d '{"model":"veo-3.1-fast","prompt":"A red fox","generate_audio":false}'`);
  for (const button of document.querySelectorAll("[data-copies]")) {
    button.addEventListener("click", () => copy(button));
  }
}

async function copy(button) {
  const source = $(button.dataset.copies);
  let told = "Copied";
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    getSelection().selectAllChildren(source); // the keyboard copies it then
    told = "Selected";
  }
  const label = button.firstChild;
  label.textContent = told;
  say($("copied"), told);
  setTimeout(() => { label.textContent = "Copy"; say($("copied"), ""); }, 1500);
}

// ---- Counts

function total(requests) {
  let sum = 0;
  for (const [route, statuses] of Object.entries(requests)) {
    if (route.includes(" /sandbox/")) continue;
    for (const count of Object.values(statuses)) sum += count;
  }
  return sum;
}

function showRate(overview, now) {
  const sum = total(overview.requests);
  if (before !== null && now > before.now) {
    rates.push(Math.max(0, sum - before.sum) / (now - before.now));
    if (rates.length > KEPT_RATES) rates.shift();
  }
  before = { sum, now };
  const lately = rates.slice(-3);
  const mean = lately.reduce((a, b) => a + b, 0) / (lately.length || 1);
  say($("rate"), mean === 0 || mean >= 10 ? number.format(Math.round(mean)) : mean.toFixed(1));
  const top = Math.max(1, ...rates);
  const step = 120 / (KEPT_RATES - 1);
  const left = 120 - step * (rates.length - 1);
  $("pulse").firstElementChild.setAttribute("points",
    rates.map((rate, i) => `${(left + i * step).toFixed(1)},${(23 - 22 * rate / top).toFixed(1)}`).join(" "));
}

function showDots(element, counts, looks) {
  element.replaceChildren(...counts.map(([name, count]) => {
    const dot = made("span", `dot ${looks(name)}`);
    dot.append(made("span", "", `${number.format(count)} ${name}`));
    return dot;
  }));
}

function showCounts(overview, now) {
  say($("created"), number.format(overview.created));
  showDots($("by-status"), Object.entries(overview.by_status).filter(([, n]) => n),
    (status) => STATUS_LOOKS[status] ?? "is-odd");
  say($("in-flight"), number.format(overview.in_flight));
  say($("peak"), `${number.format(overview.in_flight_peak)} at most`);
  say($("credits"), number.format(overview.billed_credits));
  const accounts = overview.accounts.length;
  say($("credits-more"), accounts === 1 ? "1 account" : `${accounts} accounts`);
  const faults = Object.entries(overview.faults).sort((a, b) => b[1] - a[1]);
  say($("faults"), number.format(faults.reduce((sum, [, n]) => sum + n, 0)));
  const shown = faults.slice(0, 3);
  if (faults.length > shown.length) shown.push(["others", faults.slice(3).reduce((s, [, n]) => s + n, 0)]);
  showDots($("fault-names"), shown, () => "is-odd");
  $("plan").hidden = overview.plan === null;
  if (overview.plan !== null) {
    say($("plan").lastElementChild, overview.plan.name);
    $("plan").title = overview.plan.title;
  }
  say($("speed").lastElementChild, `× ${overview.speed}`);
  say($("seed").lastElementChild, String(overview.seed));
  say($("up").lastElementChild, span(now - overview.started_at));
}

function showAccounts(accounts) {
  $("accounts").hidden = accounts.length === 0;
  $("account-list").replaceChildren(...accounts.map((account) => {
    const row = made("tr");
    const name = made("th", "", account.name || "no key");
    name.scope = "row";
    const left = account.credits === null ? "no end" : number.format(account.credits);
    row.append(name, made("td", "", left),
      made("td", "", number.format(account.reserved)), made("td", "", number.format(account.used)));
    return row;
  }));
}

// ---- Tasks

function kindOf(url) {
  const found = KINDS.find(([ending]) => ending.test(url.pathname));
  return found ? found.slice(1) : ["file", "▢"];
}

function asLink(text) {
  const url = URL.canParse(text, location.href) ? new URL(text, location.href) : null;
  return url !== null && /^https?:$/.test(url.protocol) ? url : null;
}

function anchor(url, className, text) {
  const link = made("a", className, text);
  link.href = url.href;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

// A result is fetched only when somebody points at it: fetching is a request like any
// other, and looking on must not change what is looked at.
function viewOf(url, position) {
  const [kind, sign] = kindOf(url);
  const view = anchor(url, "view", undefined);
  view.dataset.sign = sign;
  view.append(made("span", "", kind));
  view.title = "Point here to load it: that is a request like any other";
  view.setAttribute("aria-label", `Result ${position}, ${kind}`);
  const canBeShown = kind === "video" || kind === "picture";
  if (url.origin !== location.origin || !canBeShown) return view;
  let media = null;
  const begin = () => {
    if (media === null) {
      media = made(kind === "video" ? "video" : "img");
      if (kind === "video") Object.assign(media, { muted: true, loop: true, playsInline: true });
      else media.alt = "";
      media.addEventListener("error", () => { media?.remove(); media = null; });
      media.src = url.href;
      view.append(media);
    }
    if (kind === "video" && !still.matches) media.play().catch(() => {});
  };
  const end = () => { if (media !== null && kind === "video") media.pause(); };
  view.addEventListener("pointerenter", begin);
  view.addEventListener("focus", begin);
  view.addEventListener("pointerleave", end);
  view.addEventListener("blur", end);
  return view;
}

function showResults(row, task) {
  const key = `${task.status} ${JSON.stringify(task.results)}`;
  if (row.key === key) return;
  row.key = key;
  const urls = task.results.map(asLink);
  const views = urls.filter((url) => url !== null).slice(0, 1).map((url) => viewOf(url, 1));
  if (views.length === 0) {
    const empty = made("div", `view ${task.status}`);
    if (task.status !== "pending" && task.status !== "processing") empty.dataset.sign = "–";
    views.push(empty);
  }
  row.views.replaceChildren(...views);
  row.links.replaceChildren(...task.results.map((text, i) => {
    const label = task.results.length === 1 ? "result" : `result ${i + 1}`;
    return urls[i] === null ? made("span", "", label) : anchor(urls[i], "", label);
  }));
}

function newRow() {
  const element = $("task-row").content.firstElementChild.cloneNode(true);
  const part = (name) => element.querySelector(`.${name}`);
  return {
    element, key: "", views: part("views"), model: part("model"), badge: part("badge"),
    hit: part("hit"), prompt: part("prompt"), bar: part("bar"), id: part("id"),
    price: part("price"), age: part("age"), links: part("links"),
  };
}

function showTask(row, task, now) {
  row.element.dataset.status = task.status;
  row.text = [task.id, task.model, task.status, task.prompt, task.fault].join("\n").toLowerCase();
  say(row.model, task.model);
  say(row.badge, task.status);
  row.badge.className = `badge ${STATUS_LOOKS[task.status] ?? "is-odd"}`;
  row.hit.hidden = !task.fault;
  say(row.hit, task.fault || "");
  say(row.prompt, task.prompt || "no prompt");
  row.prompt.title = task.prompt || "";
  const progress = Math.min(100, Math.max(0, Number(task.progress) || 0));
  row.bar.setAttribute("aria-valuenow", String(progress));
  row.bar.setAttribute("aria-label", `Progress of ${task.id}`);
  row.bar.firstElementChild.style.width = `${progress}%`;
  say(row.id, task.id);
  say(row.price, `${number.format(task.credits_reserved)} credits`);
  say(row.age, `${span(now - task.created)} ago`);
  showResults(row, task);
}

function showTasks(tasks, now) {
  const listed = new Set(tasks.map((task) => task.id));
  for (const [id, row] of rows) {
    if (!listed.has(id)) { row.element.remove(); rows.delete(id); }
  }
  let place = $("task-list").firstElementChild;
  for (const task of tasks) {
    let row = rows.get(task.id);
    if (row === undefined) {
      row = newRow();
      rows.set(task.id, row);
      news.tasks += 1;
    } else if (row.element.dataset.status !== task.status && task.status in STATUS_LOOKS) {
      news.ended.set(task.status, (news.ended.get(task.status) ?? 0) + 1);
    }
    showTask(row, task, now);
    if (row.element === place) place = place.nextElementSibling;
    else $("task-list").insertBefore(row.element, place);
  }
  $("no-tasks").hidden = tasks.length > 0;
}

// ---- Requests

function lookOf(status) {
  const code = Number(status);
  if (!Number.isFinite(code)) return "is-bad"; // dropped, closed, stalled
  if (code < 400) return "is-good";
  return code < 500 ? "is-odd" : "is-bad";
}

function requestRow(entry) {
  const row = made("li");
  const at = new Date(entry.at * 1000);
  const time = made("time", "", clock.format(at));
  time.dateTime = at.toISOString();
  const path = made("span", "path", entry.path);
  path.title = entry.path;
  const rest = made("div", "rest");
  if (entry.fault) rest.append(made("span", "hit", entry.fault));
  if (entry.model) rest.append(made("span", "", entry.model));
  if (entry.credits) rest.append(made("span", "", `${number.format(entry.credits)} credits`));
  row.append(time, made("span", "method", entry.method), path,
    made("span", `status ${lookOf(entry.status)}`, String(entry.status)), rest);
  row.dataset.text = [entry.method, entry.path, entry.status, entry.model, entry.task, entry.fault]
    .join("\n").toLowerCase();
  return row;
}

function showRequests(entries) {
  const list = $("request-list");
  const fresh = entries.filter(({ path }) => path !== "/" && !path.startsWith("/sandbox/"));
  news.faults += fresh.filter((entry) => entry.fault).length;
  const added = document.createDocumentFragment();
  for (const entry of fresh.reverse()) added.append(requestRow(entry));
  const isRead = list.scrollTop > 0; // somebody reads further down: keep the place
  const height = list.scrollHeight;
  list.prepend(added);
  while (list.childElementCount > KEPT_REQUESTS) list.lastElementChild.remove();
  if (isRead) list.scrollTop += list.scrollHeight - height;
  $("no-requests").hidden = list.childElementCount > 0;
}

// ---- The filter, and what is said aloud

function applyFilter() {
  const wanted = $("filter").value.trim().toLowerCase();
  let tasks = 0;
  for (const row of rows.values()) {
    const fits = row.text.includes(wanted);
    row.element.hidden = !fits;
    tasks += fits;
  }
  let requests = 0;
  for (const row of $("request-list").children) {
    const fits = row.dataset.text.includes(wanted);
    row.hidden = !fits;
    requests += fits;
  }
  say($("matches"), wanted ? `${tasks} tasks, ${requests} requests` : "");
}

function tellNews() {
  if (performance.now() - news.told < NEWS_MS) return;
  const told = [];
  if (news.tasks) told.push(`${news.tasks} new tasks`);
  for (const [status, count] of news.ended) {
    if (status !== "processing") told.push(`${count} ${status}`);
  }
  if (news.faults) told.push(`${news.faults} faults`);
  if (told.length > 0) say($("task-news"), told.join(", "));
  news = { tasks: 0, ended: new Map(), faults: 0, told: performance.now() };
}

function showLink(state, text) {
  $("link").className = `link ${state}`;
  say($("link").lastElementChild, text);
}

// ---- Looking, again and again

async function asked(path) {
  const reply = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
  return reply.json();
}

function forget() {
  rows.clear();
  $("task-list").replaceChildren();
  $("request-list").replaceChildren();
  rates.length = 0;
  before = null;
}

async function look() {
  let recent = await asked(`/sandbox/recent?after=${seq}`);
  const overview = await asked("/sandbox/overview");
  if (overview.started_at !== startedAt) {
    if (startedAt !== null) { // another process listens here now
      forget();
      recent = await asked("/sandbox/recent?after=0");
    }
    startedAt = overview.started_at;
  }
  seq = recent.seq;
  showCounts(overview, recent.now);
  showRate(overview, recent.now);
  showTasks(overview.tasks, recent.now);
  showRequests(recent.entries);
  showAccounts(overview.accounts);
  applyFilter();
  tellNews();
  return overview.in_flight > 0 ? BUSY_MS : QUIET_MS;
}

async function keepLooking() {
  let pause_ms = LOST_MS;
  try {
    const begun = performance.now();
    pause_ms = await look();
    pause_ms = Math.max(pause_ms, SPARING * (performance.now() - begun));
    showLink("live", "live");
  } catch {
    showLink("lost", "no connection");
  }
  timer = document.hidden ? 0 : setTimeout(keepLooking, pause_ms);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    timer = 0;
    showLink("", "paused");
  } else if (timer === 0) {
    timer = -1; // a look is under way
    keepLooking();
  }
});
$("filter").addEventListener("input", applyFilter);
showUse();
keepLooking();
