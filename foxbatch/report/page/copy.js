// A button that copies, also where a browser gives pages from a disk no clipboard.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";

const SHOWN_MS = 1500;

export function Copy({ text, what, label = "Copy", title = `Copy ${what}` }) {
  const [said, setSaid] = useState("");
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  async function copy(event) {
    const done = await copied(text, event.currentTarget);
    setSaid(done ? "Copied" : "Select it and copy");
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(""), SHOWN_MS);
  }
  return html`<button type="button" class="copy" onClick=${copy} aria-label=${`${label} ${what}`.trim()} title=${title}>${said || label}</button>
    <span class="unseen" role="status">${said}</span>`;
}

async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // missing, or not allowed
    return copiedOldWay(text, button);
  }
}

function copiedOldWay(text, button) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  // In a dialog, whatever lies outside of it cannot be selected.
  (button.closest("dialog") ?? document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  button.focus();
  return done;
}
