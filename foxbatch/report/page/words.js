// Figures and states in words.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export function figure(value) {
  return value === null || value === undefined ? "–" : number.format(value);
}

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return `${number.format(Math.round(seconds * 10) / 10)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${number.format(Math.round(bytes / 100) / 10)} kB`;
  return `${number.format(Math.round(bytes / 1e5) / 10)} MB`;
}

// Why there is nothing to see, in one line.
export function why(cell) {
  const { phase, error } = cell;
  const said = error ? error.message || error.code || error.class : "";
  const plain = {
    new: "not bought yet", submitting: "being submitted", running: "still running",
    downloading: "finished, not downloaded yet", skipped: "left out",
    held: "nobody knows whether it was bought", overdue: "not finished in time",
    failed: "failed", done: "nothing was returned",
  };
  return said ? `${plain[phase] ?? phase}: ${said}` : plain[phase] ?? phase;
}
