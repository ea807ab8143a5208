// The images of the run, with what was found laid over them.

import { Board, rows } from "./board.js";
import { el, number, objectsIn, part } from "./dom.js";
import { COLOURS, fill } from "./draw.js";
import { imageFilter, wordsOf } from "./filters.js";
import { go, layerSwitches, orderField } from "./looks.js";
import { filterTools } from "./narrowing.js";
import { run } from "./run.js";
import { addressOf, leafThrough } from "./tiles.js";

const ORDERS = {
  name: ["by name", () => 0],
  score: ["highest score first", (a, b) => b.best - a.best],
  "-score": ["lowest score first", (a, b) => a.best - b.best],
  objects: ["most objects first", (a, b) => b.kept.length - a.kept.length],
  "-objects": ["fewest objects first", (a, b) => a.kept.length - b.kept.length],
};
const KINDS = { all: "All", low: "Low confidence", none: "No object", failed: "Failed" };
const BELOW = 50; // pixels of text under a picture
const SLIM = 0.62, WIDE = 2.6; // ratios of width to height that pictures are shown with
const DOTS = 8; // objects that are told under a picture
const imagesIn = (count) => number(count, "image");
const shapeOf = ({ width, height }) => Math.min(WIDE, Math.max(SLIM, width / height));
const heightAt = (width) => (width < 700 ? 150 : 220);

export function showImages(main, wanted) {
  const count = el("p", { class: "soft", role: "status" }), bed = el("div");
  const tabs = el("div", { class: "tabs", role: "group", "aria-label": "Which images" });
  const failed = el("table", {}, el("thead", {}, el("tr", {},
    ["Image", "Stage", "Reason"].map((name) => el("th", { scope: "col" }, name)))), el("tbody"));
  const order = orderField(ORDERS, wanted.order ?? "name");
  main.append(el("div", { class: "line sticky" }, tabs, ...filterTools(wanted), order,
    el("span", { class: "push" }), layerSwitches()), count, bed, failed);
  const board = new Board(bed, rows(shapeOf, heightAt, 18, BELOW), card, dress);

  function update(wanted) {
    const { kind = "all", words = "", order: by = "name" } = wanted, fit = imageFilter(wanted);
    const named = ({ key }) => wordsOf(words).every((word) => key.toLowerCase().includes(word));
    const all = kind === "failed" ? run.failures : run.images.filter((each) => kind === "all" || each.kind === kind);
    const shown = all.filter(kind === "failed" ? named : fit);
    order.value = by;
    tabs.replaceChildren(...Object.entries(KINDS).map(([name, text]) => tab(name, text, name === kind)));
    count.textContent = part(shown.length, all.length, imagesIn);
    failed.hidden = kind !== "failed" || !shown.length;
    failed.tBodies[0].replaceChildren(...failed.hidden ? [] : shown.map(({ key, stage, reason }) => el("tr", {},
      el("td", {}, el("bdi", {}, key)), el("td", {}, stage), el("td", {}, reason))));
    board.show(kind === "failed" ? [] : shown.sort((ORDERS[by] ?? ORDERS.name)[1]));
    leafThrough("", board.items);
  }

  update(wanted);
  return update;
}

function tab(kind, text, on) {
  const { images, failures } = run;
  const count = { all: images.length, failed: failures.length }[kind]
    ?? images.filter((image) => image.kind === kind).length;
  return el("button", {
    type: "button", "aria-pressed": String(on), onclick: () => go({ kind: kind === "all" ? "" : kind }),
  }, text, " ", el("b", {}, count.toLocaleString("en")));
}

function card(image) {
  return el("figure", { class: "card" },
    el("a", { class: "stage", href: addressOf(image), "aria-label": `Open ${image.key}` }),
    el("figcaption", {}, el("p", { title: titleOf(image) }, el("bdi", {}, image.key), el("span", { class: "soft" })),
      el("ul", { class: "scores" })));
}

const titleOf = ({ key, width, height, note }) => [key, `${width} × ${height}`, note].filter(Boolean).join("\n");

function dress(figure, image) {
  const { kept } = image, stage = figure.firstChild;
  fill(stage, image, kept);
  figure.querySelector(".soft").textContent = kept.length ? objectsIn(kept.length) : "no object";
  figure.querySelector("ul").replaceChildren(...kept.slice(0, DOTS).map(({ place, score, category }) =>
    el("li", { class: `c${place % COLOURS}` }, score.toFixed(2), !category.special && el("bdi", {}, category.title))));
}
