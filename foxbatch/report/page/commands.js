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
