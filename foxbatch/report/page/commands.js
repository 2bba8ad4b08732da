// What to type next about a job. Pure.

const SAFE = /^[\w@%+=:,./-]+$/;

export function quoted(word) {
  return SAFE.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

// The run directory as it is called beside the page's own folder, or by its label.
export function runOf({ base, label }) {
  let path = label;
  try {
    path = decodeURIComponent(base);
  } catch { /* what is no address is no path either */ }
  return path === "." || path === "" ? `runs/${label}` : path;
}

// What in a string of JSON a terminal might take for more than a letter, or hide.
const ODD = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

// The command that sends the request of a job again; `report/curl.py` makes its head.
export function curlOf({ curl, request }) {
  return `${curl} ${quoted(request.replace(ODD, escaped))}`;
}

// [command, what it does], the likeliest first.
export function commandsFor(run, cell) {
  const where = quoted(runOf(run));
  const ways = {
    held: [[`foxbatch settle ${where} ${cell.job}`, "Say whether it was bought."]],
    failed: [[`foxbatch status ${where}`, "See what failed and why."], [`foxbatch plan ${where}`, "See whether the next run tries again."]],
    overdue: [[`foxbatch collect ${where}`, "Look once more whether it is finished; buys nothing."]],
    running: [[`foxbatch collect ${where}`, "Wait for it and fetch it; buys nothing."]],
    downloading: [[`foxbatch collect ${where}`, "Fetch it; buys nothing."]],
  };
  return ways[cell.phase] ?? [];
}
