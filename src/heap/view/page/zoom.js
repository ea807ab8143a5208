// A photo, or two side by side, that is seen larger: by wheel, pinch, a drag with the middle button, and keys.

import { el, sign } from "./dom.js";

const MOST = 16, STEP = 1.35, ALONG = 0.2; // largest scale; of a key; share of the view that a key moves
let view = null; // { pairs, told, drags, scale, x, y }: the middle is at x and y, shares of the photo
const fingers = new Map(); // touches, by their ids

export const isPinching = () => fingers.size > 1;

// Each of the `pairs` is a frame and its `world`, as large as the photo at this scale, of which the
// frame shows a part; all show the same. `before` is a view that they had; where the left button has
// no other use it `drags` too.
export function zoomIn(pairs, { before = null, drags = false } = {}) {
  view = { pairs, drags, told: el("output", { "aria-label": "Scale" }), scale: 1, x: 0.5, y: 0.5, ...before };
  fingers.clear();
  for (const [frame] of pairs) {
    frame.addEventListener("wheel", wheel, { passive: false });
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      frame.addEventListener(kind, kind === "pointermove" ? move : press, { capture: true });
    }
  }
  apply();
  return el("span", { class: "zoom" }, sign("Smaller (-)", "less", () => zoomKey("-")), view.told,
    sign("Larger (+)", "more", () => zoomKey("+")));
}

export const viewNow = () => view && { scale: view.scale, x: view.x, y: view.y };

function apply() {
  const half = 0.5 / view.scale;
  for (const axis of ["x", "y"]) view[axis] = Math.min(1 - half, Math.max(half, view[axis]));
  for (const [, { style }] of view.pairs) {
    style.left = `${100 * (0.5 - view.x * view.scale)}%`;
    style.top = `${100 * (0.5 - view.y * view.scale)}%`;
    style.width = style.height = `${100 * view.scale}%`;
  }
  view.told.textContent = `${Math.round(100 * view.scale)} %`;
}

// What is at a point of the page stays there.
function scaleAt(factor, clientX, clientY, frame = view.pairs[0][0]) {
  const { left, top, width, height } = frame.getBoundingClientRect();
  const across = (clientX - left) / width - 0.5, down = (clientY - top) / height - 0.5;
  const scale = Math.min(MOST, Math.max(1, view.scale * factor));
  view.x += across / view.scale - across / scale;
  view.y += down / view.scale - down / scale;
  view.scale = scale;
  apply();
}

function shift(right, down) {
  const { width, height } = view.pairs[0][0].getBoundingClientRect();
  view.x -= right / width / view.scale;
  view.y -= down / height / view.scale;
  apply();
}

function wheel(event) {
  event.preventDefault();
  const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
  if (sideways) shift(-(event.deltaX || event.deltaY), event.shiftKey ? 0 : -event.deltaY);
  // A pinch on a touchpad comes as a wheel with Ctrl, in small steps.
  else scaleAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.012 : 0.0022)), event.clientX, event.clientY, event.currentTarget);
}

function press(event) {
  if (event.type === "pointerdown" && event.pointerType === "touch") fingers.set(event.pointerId, event);
  else if (event.type !== "pointerdown") fingers.delete(event.pointerId);
  if (event.type === "pointerdown" && event.button === 1) event.preventDefault();
  // A drag goes on where the pointer has left the frame.
  if (event.type === "pointerdown" && view.drags) event.currentTarget.setPointerCapture(event.pointerId);
}

function move(event) {
  if (event.buttons & (view.drags && !isPinching() ? 5 : 4)) shift(event.movementX, event.movementY);
  if (!fingers.has(event.pointerId)) return;
  const before = [...fingers.values()];
  fingers.set(event.pointerId, event);
  if (before.length !== 2) return;
  const [old, now] = [before, [...fingers.values()]].map(([a, b]) => ({
    x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2,
    apart: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY),
  }));
  shift(now.x - old.x, now.y - old.y);
  scaleAt(now.apart / Math.max(1, old.apart), now.x, now.y, event.currentTarget);
}

// Whether a key means something here; with Shift, arrows move what is seen.
export function zoomKey(key, shiftKey = false) {
  const { left, top, width, height } = view.pairs[0][0].getBoundingClientRect();
  const arrow = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
  if (key === "+" || key === "=") scaleAt(STEP, left + width / 2, top + height / 2);
  else if (key === "-") scaleAt(1 / STEP, left + width / 2, top + height / 2);
  else if (key === "0") scaleAt(0, left, top);
  else if (shiftKey && arrow) shift(arrow[0] * ALONG * width, arrow[1] * ALONG * height);
  else return false;
  return true;
}
