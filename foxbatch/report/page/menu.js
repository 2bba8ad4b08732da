// A button with a sheet below it, closed by Escape and by whatever else is used.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";

export function Menu({ label, summary, children, wide = false }) {
  const [open, setOpen] = useState(false);
  const box = useRef(null), button = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const elsewhere = (event) => { if (!box.current.contains(event.target)) setOpen(false); };
    addEventListener("pointerdown", elsewhere);
    addEventListener("focusin", elsewhere);
    return () => {
      removeEventListener("pointerdown", elsewhere);
      removeEventListener("focusin", elsewhere);
    };
  }, [open]);
  function keyed(event) {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    setOpen(false);
    button.current.focus();
  }
  return html`
    <div class="dropdown" ref=${box} onKeyDown=${keyed}>
      <button type="button" ref=${button} aria-expanded=${open} onClick=${() => setOpen(!open)}>
        ${label}${summary && html`<span class="summary" title=${summary}>${summary}</span>`}<span aria-hidden="true" class="arrow">▾</span>
      </button>
      ${open && html`<div class=${`panel${wide ? " is-wide" : ""}`} role="group" aria-label=${label}>${children}</div>`}
    </div>`;
}
