// Two runs of the same photos side by side: what only one of them has, and what both have.

import { Board, rows } from "./board.js";
import { el, icon, number, objectsIn, sign } from "./dom.js";
import { fill, hold, outlines, picture, release, trace } from "./draw.js";
import { go, layerSwitches, orderField } from "./looks.js";
import { ask, attempt, photoOf } from "./source.js";
import { zoomIn, zoomKey } from "./zoom.js";

const PAUSE = 400; // milliseconds until it is asked again how far the comparison is
const BOTH = 0, ONLY = [1, 2]; // colours of objects of both runs, and of one of them only
const BELOW = 50; // pixels of text under a pair
const only = (photo, side) => photo.objects[side].filter(({ iou }) => iou === null).length;
const ORDERS = {
  change: ["most changed first", (a, b) => b.change - a.change],
  first: ["most only in the first", (a, b) => only(b, 0) - only(a, 0) || b.change - a.change],
  second: ["most only in the second", (a, b) => only(b, 1) - only(a, 1) || b.change - a.change],
  "-change": ["least changed first", (a, b) => a.change - b.change],
  name: ["by name", (a, b) => a.keys[0].localeCompare(b.keys[0])],
};
let open = null; // the pair that is shown large: { photo, drawings }
let list = []; // photos in their order

export function showDifference(main, address, addressOf) {
  const { first, second } = address;
  document.title = `${first} and ${second}`;
  const names = [first, second], told = el("p", { class: "soft", role: "status" }, "Comparing …"), progress = el("progress", { "aria-label": "Compared" });
  const field = orderField(ORDERS, "change"), bed = el("div"), large = el("section", { class: "viewer pair-viewer", hidden: true });
  const overview = el("div", {},
    el("div", { class: "line" }, el("a", { class: "round", href: "#/", "aria-label": "All runs" }, icon("back")),
      el("h2", {}, el("bdi", {}, first), " and ", el("bdi", {}, second)), told, progress),
    el("div", { class: "line sticky" }, field, legend(names), el("span", { class: "push" }), layerSwitches()), bed);
  main.append(overview, large);
  const board = new Board(bed, rows(shapeOf, (width) => (width < 700 ? 120 : 190), 18, BELOW), (photo) => card(photo, names), () => {});
  let now = null, wanted = address;

  async function compare() {
    const answer = await attempt(() => ask("difference", { first, second }));
    if (!bed.isConnected || !answer) { told.textContent = answer ? "" : "These runs cannot be compared."; progress.remove(); return; }
    if (answer.state === "running") {
      if (answer.total) Object.assign(progress, { max: answer.total, value: answer.done });
      setTimeout(compare, PAUSE);
      return;
    }
    progress.remove();
    if (answer.state === "failed") { told.textContent = answer.reason; return; }
    now = { ...answer, photos: answer.photos.map((photo) => prepared(photo, names, addressOf)) };
    told.textContent = tell(answer, names);
    update(wanted);
  }

  function update(next) {
    wanted = next;
    if (!now) return;
    field.value = ORDERS[wanted.order] ? wanted.order : "change";
    list = [...now.photos].sort(ORDERS[field.value][1]);
    const photo = list.find(({ key }) => key === wanted.photo);
    const back = open?.photo;
    close();
    overview.hidden = Boolean(photo);
    large.hidden = !photo;
    if (photo) show(large, photo, names);
    else {
      large.replaceChildren();
      if (!now.photos.length) bed.replaceChildren(el("div", { class: "empty" }, el("p", {}, "These runs have no photo in common.")));
      else board.show(list);
      if (back) board.focus(board.places.get(back.key));
    }
  }

  compare();
  return update;
}

const shapeOf = ({ width, height }) => 2 * Math.min(2, Math.max(0.62, width / height));

// A photo with an image of each run as `draw.js` has them.
function prepared(photo, names, addressOf) {
  const { keys, width, height, objects } = photo;
  const images = names.map((name, side) => ({
    key: keys[side], base: addressOf(name), version: "", width, height,
    objects: objects[side].map(({ index, box, iou }) => ({ place: index, box, colour: iou === null ? ONLY[side] : BOTH })),
  }));
  return { ...photo, key: keys[0], images };
}

function tell({ photos, both, only, alone }, names) {
  const missing = alone.map((keys, side) => keys.length && `${number(keys.length, "photo")} only in ${names[side]}`);
  return [number(photos.length, "photo"), `${objectsIn(both)} in both`, ...names.map((name, side) => `${only[side]} only in ${name}`), ...missing]
    .filter(Boolean).join(" · ");
}

const legend = (names) => el("ul", { class: "scores" }, [["In both", BOTH], ...names.map((name, side) => [`Only in ${name}`, ONLY[side]])]
  .map(([text, colour]) => el("li", { class: `c${colour}` }, el("bdi", {}, text))));

const counts = (photo, names) => {
  const both = photo.objects[0].length - only(photo, 0), alone = names.map((name, side) => only(photo, side) && `${only(photo, side)} only in ${name}`);
  return [both && `${both} in both`, ...alone].filter(Boolean).join(" · ") || "no object in either";
};

function card(photo, names) {
  const stages = photo.images.map(() => el("span", { class: "stage" })), text = counts(photo, names);
  photo.images.forEach((image, side) => fill(stages[side], image, image.objects));
  return el("figure", { class: "card" },
    el("a", { class: "pair", href: hrefOf(photo), "aria-label": `Open ${photo.key}: ${text}` }, stages),
    el("figcaption", {}, el("p", { title: [...new Set(photo.keys)].join("\n") }, el("bdi", {}, photo.key)), el("p", { class: "soft" }, text)));
}

function hrefOf({ key }) {
  const [path, query] = location.hash.split("?"), wanted = new URLSearchParams(query);
  wanted.set("photo", key);
  return `${path}?${wanted}`;
}

function show(place, photo, names) {
  const drawings = photo.images.map((image) => hold(image)), at = list.indexOf(photo);
  const pairs = photo.images.map((image, side) => frame(image, drawings[side]));
  open = { photo, drawings };
  const before = sign("Before (←)", "back", () => step(-1)), next = sign("Next (→)", "next", () => step(1));
  before.disabled = at < 1;
  next.disabled = at > list.length - 2;
  const zoom = zoomIn(pairs, { drags: true });
  place.setAttribute("aria-label", photo.key);
  place.replaceChildren(
    el("header", { class: "line" }, sign("Close", "back", leave), el("h2", {}, el("bdi", {}, photo.key)),
      el("p", { class: "soft", role: "status" }, counts(photo, names)), el("span", { class: "push" }), layerSwitches(),
      el("p", { class: "soft" }, `${at + 1} of ${list.length}`), before, next),
    ...pairs.map(([box], side) => el("div", { class: "side" }, el("h3", {}, el("bdi", {}, names[side])), el("div", { class: "stage-of" }, box))),
    el("div", { class: "below" }, legend(names), zoom));
  place.querySelector(".round").focus({ preventScroll: true });
}

function frame(image, drawing) {
  const photo = picture("photo", photoOf(image)), overlay = outlines(image, image.objects);
  photo.addEventListener("error", () => { photo.src = drawing.thumbnail; }, { once: true });
  drawing.outlines().then((found) => trace(overlay, found, image), () => {});
  const world = el("div", { class: "world" }, photo, picture("regions", drawing.regions, { loading: "lazy" }), overlay), box = el("div", { class: "frame" }, world);
  box.style.setProperty("--ratio", image.width / image.height);
  return [box, world];
}

function close() {
  open?.drawings.forEach(release);
  open = null;
}

const leave = () => go({ photo: "" });

function step(by) {
  const photo = list[list.indexOf(open.photo) + by];
  if (photo) go({ photo: photo.key });
}

export function differenceKey(key, shiftKey) {
  if (!open) return false;
  if (zoomKey(key, shiftKey)) return true;
  if (key === "Escape") leave();
  else if (key === "ArrowRight") step(1);
  else if (key === "ArrowLeft") step(-1);
  else return false;
  return true;
}
