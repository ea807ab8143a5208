// The page of several runs: a card for each, and two of them side by side.

import { afterArrow, ARROWS, closeBoards } from "./board.js";
import { differenceKey, showDifference } from "./difference.js";
import { el, find, isTyping, number, objectsIn } from "./dom.js";
import { layerKey, nextTheme } from "./looks.js";
import { ask, attempt } from "./source.js";

const main = find("main"), chosen = new Set(); // names of the runs that are to be compared
let runs = [], shown = null; // the view: its name, and what updates it

const addressOf = (name) => `runs/${encodeURIComponent(name)}/`;

function route() {
  const [path, query] = location.hash.slice(2).split("?"), wanted = Object.fromEntries(new URLSearchParams(query));
  const name = path === "difference" ? `difference ${wanted.first} ${wanted.second}` : "runs";
  if (shown?.name === name) { shown.update(wanted); return; }
  closeBoards();
  main.replaceChildren();
  document.body.dataset.view = path || "runs";
  shown = { name };
  shown.update = path === "difference" ? showDifference(main, wanted, addressOf) : showRuns();
  scrollTo(0, 0);
  offer();
}

function showRuns() {
  document.title = "Runs";
  main.append(el("p", { class: "soft", role: "status" }, number(runs.length, "run")),
    el("div", { class: "runs" }, runs.map(card)));
  return () => {};
}

function card({ name, images, objects, failed, model, encoder, changed, thumbnails, reason }) {
  const base = addressOf(name), open = { href: base };
  const made = [model && `by ${model}`, model !== encoder && encoder].filter(Boolean).join(", ");
  if (reason) return el("article", { class: "run" }, el("h2", {}, el("bdi", {}, name)), el("p", { class: "bad" }, reason));
  return el("article", { class: "run" },
    el("a", { ...open, class: "photos", tabindex: -1, "aria-hidden": "true" }, thumbnails.map((key) =>
      el("img", { alt: "", loading: "lazy", src: `${base}pictures/thumbnail?${new URLSearchParams({ key })}` }))),
    el("h2", {}, el("a", open, el("bdi", {}, name))),
    el("p", { class: "soft" }, [number(images, "image"), objectsIn(objects), failed && `${failed} failed`].filter(Boolean).join(" · ")),
    el("p", { class: "soft" }, [made, changed && whenOf(changed)].filter(Boolean).join(" · ")),
    runs.length > 1 && el("label", { class: "row" }, el("input", {
      type: "checkbox", checked: chosen.has(name), "aria-label": `Compare ${name}`, onclick: (event) => choose(name, event.target.checked),
    }), "Compare"));
}

const whenOf = (time) => new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

// Of more than two the last ones are compared.
function choose(name, on) {
  chosen.delete(name);
  if (on) chosen.add(name);
  for (const early of [...chosen].slice(0, -2)) chosen.delete(early);
  for (const box of main.querySelectorAll(".run input")) box.checked = chosen.has(box.getAttribute("aria-label").slice("Compare ".length));
  offer();
}

function offer() {
  const bar = find("actions"), [first, second] = chosen;
  bar.hidden = document.body.dataset.view !== "runs" || !first;
  bar.replaceChildren(second
    ? el("a", { class: "button", href: `#/difference?${new URLSearchParams({ first, second })}` }, `Compare “${first}” with “${second}”`)
    : el("span", {}, `Choose another run to compare “${first}” with`));
}

// Whether a key leads to another photo.
function along(key) {
  const next = ARROWS.test(key) && afterArrow(key);
  if (next) next[0].focus(next[1]);
  return Boolean(next);
}

addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (differenceKey(event.key, event.shiftKey) || layerKey(event.key.toLowerCase()) || along(event.key)) event.preventDefault();
});
find("theme").addEventListener("click", nextTheme);
const listed = await attempt(() => ask("runs"));
if (listed) {
  runs = listed;
  route();
} else main.append(el("div", { class: "empty" }, el("p", {}, "The runs cannot be shown.")));
