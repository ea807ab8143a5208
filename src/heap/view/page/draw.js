// Photos with what was found in them. Pictures are made when they come near the view, and forgotten
// when they leave it.

import { el, svg } from "./dom.js";
import { readDrawing } from "./source.js";

export const COLOURS = 7;
const BUDGET = 5; // milliseconds of each frame that drawing may take
const MARGIN = 0.1, LEAST = 1 / 12; // of the box, and of the image: what a tile shows at least
const held = new Map(); // by the run and the key of an image: its drawing, and how many places show it
const filled = new Map(); // by element: the drawing in it
const waiting = new Map(); // by element: what draws it
let pumping = false, made = 0;

// Draws soon, a few places in each frame, so that scrolling never waits.
export function drawSoon(place, draw) {
  waiting.set(place, draw);
  if (!pumping) requestAnimationFrame(() => pump());
  pumping = true;
}

export const cancel = (place) => waiting.delete(place);

export const drawNow = () => pump(Infinity);

function pump(end = performance.now() + BUDGET) {
  for (const [place, draw] of waiting) {
    waiting.delete(place);
    draw();
    if (performance.now() > end) break;
  }
  pumping = waiting.size > 0;
  if (pumping) requestAnimationFrame(() => pump());
}

// After a mask was corrected there is another drawing, beside the one that is still shown.
export function hold(image) {
  const place = `${image.base ?? ""}${image.key}`;
  let drawing = held.get(place);
  if (drawing?.version !== image.version) {
    held.set(place, drawing = { ...readDrawing(image), key: place, version: image.version, users: 0 });
  }
  drawing.users += 1;
  return drawing;
}

export function release(drawing) {
  drawing.users -= 1;
  if (drawing.users) return;
  if (held.get(drawing.key) === drawing) held.delete(drawing.key);
  drawing.free();
}

// Fills an element with an image and the outlines of some of its objects, soon.
export function fill(stage, image, objects) {
  drawSoon(stage, () => {
    if (filled.has(stage)) empty(stage);
    const drawing = hold(image);
    filled.set(stage, drawing);
    stage.replaceChildren(...layers(image, drawing, objects));
  });
}

// Undoes it; a picture that was still to come must not look for what is gone.
export function empty(stage) {
  waiting.delete(stage);
  if (!filled.has(stage)) return;
  for (const picture of stage.querySelectorAll("img")) picture.removeAttribute("src");
  stage.replaceChildren();
  release(filled.get(stage));
  filled.delete(stage);
}

export function layers(image, drawing, objects) {
  const overlay = outlines(image, objects);
  if (objects.length) drawing.outlines().then((found) => trace(overlay, found, image), () => {});
  return [
    drawing.thumbnail && picture("photo", drawing.thumbnail),
    // A layer that is not shown is not decoded either.
    drawing.regions && picture("regions", drawing.regions, { loading: "lazy" }),
    overlay,
  ].filter(Boolean);
}

export const picture = (kind, src, attributes = {}) =>
  el("img", { class: kind, alt: "", decoding: "async", draggable: "false", src, ...attributes });

// Boxes at once; masks are added by `trace`. The veil covers all that no mask covers.
export function outlines({ width, height }, objects) {
  const whole = { x: 0, y: 0, width, height }, id = `holes-${made += 1}`;
  const holes = objects.map(({ place }) => svg("path", { class: "hole", "data-hole": place }));
  return svg("svg", {
    class: "objects", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none",
    "aria-hidden": "true",
  }, svg("mask", { id, maskUnits: "userSpaceOnUse", ...whole }, svg("rect", { fill: "#fff", ...whole }), ...holes),
  svg("rect", { class: "veil", mask: `url(#${id})`, ...whole }), ...objects.map(({ place, colour = place % COLOURS, box: [x1, y1, x2, y2] }) => {
    const group = svg("g", { class: `c${colour}`, "data-place": place });
    group.append(svg("path", { class: "mask" }),
      svg("rect", { class: "box", x: x1, y: y1, width: x2 - x1, height: y2 - y1 }));
    return group;
  }));
}

// Outlines are pixels of a canvas that is as large as the image, with another number of pixels.
export function trace(overlay, { canvas, paths }, { width, height }) {
  const scale = `scale(${width / canvas[0]} ${height / canvas[1]}) translate(.5 .5)`;
  overlay.classList.add("traced");
  for (const path of overlay.querySelectorAll(".mask, .hole")) {
    path.setAttribute("d", paths[path.dataset.hole ?? path.parentNode.dataset.place] ?? "");
    path.setAttribute("transform", scale);
  }
}

// The square that a tile shows, in pixels of the image: the box with some room around it, inside the
// image, and never more than its shorter side.
export function squareAround({ box: [x1, y1, x2, y2], image: { width, height } }) {
  const wanted = Math.max(x2 - x1, y2 - y1) * (1 + 2 * MARGIN);
  const side = Math.min(Math.max(wanted, Math.max(width, height) * LEAST), width, height);
  const inside = (middle, length) => Math.min(Math.max(0, middle - side / 2), length - side);
  return [inside((x1 + x2) / 2, width), inside((y1 + y2) / 2, height), side];
}

// Places the whole image in a tile so that its square is seen.
export function crop(stage, object) {
  const [left, top, side] = squareAround(object), { width, height } = object.image;
  const share = (length) => `${(100 * length) / side}%`;
  Object.assign(stage.style, {
    left: share(-left), top: share(-top), width: share(width), height: share(height),
  });
}
