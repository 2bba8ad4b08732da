// Looking closer, at the same place in all panels. Where one looks is a pure value:
// `scale` times as large as it fits, and `x`, `y` how far it was moved, as parts of the
// panel.

export const WHOLE = { scale: 1, x: 0, y: 0 };
const MOST = 32, STEP = 1.25;

// What is under the pointer stays there; it may have moved by so much.
export function zoomed(at, factor, [px, py] = [0.5, 0.5], [dx, dy] = [0, 0]) {
  const scale = Math.min(MOST, Math.max(1, at.scale * factor)), by = scale / at.scale;
  const moved = (offset, pointer) => pointer - 0.5 - (pointer - 0.5 - offset) * by;
  return kept({ scale, x: moved(at.x + dx, px), y: moved(at.y + dy, py) });
}

export function panned(at, dx, dy) {
  return kept({ ...at, x: at.x + dx, y: at.y + dy });
}

// Not moved out of sight.
function kept({ scale, x, y }) {
  const most = (scale - 1) / 2, within = (value) => Math.min(most, Math.max(-most, value));
  return { scale, x: within(x), y: within(y) };
}

export function keyedZoom(at, key) {
  const keys = { "+": () => zoomed(at, STEP), "=": () => zoomed(at, STEP), "-": () => zoomed(at, 1 / STEP), 0: () => WHOLE };
  return keys[key]?.();
}

// How large a picture is shown, 1 for a pixel of it on each pixel of the screen.
export function magnification(at, box, file, ratio = devicePixelRatio) {
  if (!file?.width || !box) return null;
  return Math.min(box.width / file.width, box.height / file.height) * at.scale * ratio;
}

// Which way a finger went from one point to another, in pixels; nothing where that was
// too short, too slow, or neither across nor down.
const SWIPE_PX = 50, SWIPE_MS = 600, SWIPE_SLANT = 2;
export function swipeOf({ x, y, time }, now) {
  const across = now.x - x, down = now.y - y, [far, aside] = [Math.abs(across), Math.abs(down)];
  if (now.time - time > SWIPE_MS || Math.max(far, aside) < SWIPE_PX) return "";
  if (far > aside * SWIPE_SLANT) return across < 0 ? "left" : "right";
  return aside > far * SWIPE_SLANT ? (down < 0 ? "up" : "down") : "";
}

const pointAt = (event) => ({ x: event.clientX, y: event.clientY, time: event.timeStamp });

// Wheel, pinch and drag on *element*, told as changes of where one looks: `change` takes
// a function of it. What one finger alone did is told to `swiped` too.
export function gestures(element, change, swiped = () => {}) {
  const fingers = new Map();
  let stroke = null;
  const part = (event) => {
    const box = element.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const wheel = (event) => {
    event.preventDefault();
    // A pinch on a touch pad comes as small steps with Ctrl.
    const factor = Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016));
    change((at) => zoomed(at, factor, part(event)));
  };
  const down = (event) => {
    if (event.button !== 0 || event.target.closest("button, a, [role=slider]")) return;
    stroke = fingers.size === 0 && event.pointerType !== "mouse" ? pointAt(event) : null;
    fingers.set(event.pointerId, part(event));
    element.setPointerCapture(event.pointerId);
  };
  const move = (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = part(event), other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    if (!other) return change((at) => panned(at, now[0] - before[0], now[1] - before[1]));
    const far = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    // Between two fingers a picture follows both: what one moves, the middle moves by half.
    const by = [(now[0] - before[0]) / 2, (now[1] - before[1]) / 2];
    return change((at) => zoomed(at, far(now) / Math.max(0.01, far(before)), middle, by));
  };
  const left = (event) => {
    fingers.delete(event.pointerId);
    stroke = null;
  };
  const up = (event) => {
    const way = stroke && fingers.has(event.pointerId) ? swipeOf(stroke, pointAt(event)) : "";
    left(event);
    if (way) swiped(way);
  };
  const twice = (event) => change((at) => (at.scale > 1 ? WHOLE : zoomed(at, 4, part(event))));
  const told = { wheel, pointerdown: down, pointermove: move, pointerup: up, pointercancel: left, dblclick: twice };
  for (const [name, listener] of Object.entries(told)) element.addEventListener(name, listener, { passive: false });
  return () => { for (const [name, listener] of Object.entries(told)) element.removeEventListener(name, listener); };
}
