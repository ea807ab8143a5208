// How the page looks: theme, layers, and the fields that narrow a list.

import { el, find, keep, kept, select } from "./dom.js";

const THEMES = { auto: "As the system", light: "Light", dark: "Dark" };

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const name of ["aria-label", "title"]) find("theme").setAttribute(name, `Theme: ${THEMES[theme]}`);
  keep("theme", theme);
  dispatchEvent(new Event("heap:theme"));
}

export function nextTheme() {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
}

const LAYERS = { m: "masks", b: "boxes", r: "regions" };
const on = kept("layers", { masks: true, boxes: false, regions: false });

function applyLayers() {
  for (const name of Object.values(LAYERS)) document.body.classList.toggle(`no-${name}`, !on[name]);
  for (const input of document.querySelectorAll("[data-layer]")) input.checked = on[input.dataset.layer];
}

function setLayer(name, shown) {
  on[name] = shown;
  keep("layers", on);
  applyLayers();
setLook(LOOKS[kept("look", "tint")] ? kept("look", "tint") : "tint");
}

// How masks are shown: a tint hides the colours of what it covers.
const LOOKS = { tint: "Tint", outline: "Outline", dim: "Spotlight" };
const HINTS = { tint: "a tint", outline: "only their outlines", dim: "what is around them in the dark" };

export const lookNow = () => document.body.dataset.look;

function setLook(look) {
  document.body.dataset.look = look;
  keep("look", look);
  for (const each of document.querySelectorAll("button.look")) {
    dress(each, look);
  }
}

function nextLook() {
  const names = Object.keys(LOOKS);
  setLook(names[(names.indexOf(lookNow()) + 1) % names.length]);
  dispatchEvent(new Event("heap:look"));
}

export function layerKey(key) {
  if (key === "l") { nextLook(); return true; }
  const name = LAYERS[key];
  if (name) setLayer(name, !on[name]);
  return Boolean(name);
}

export const layerSwitches = () =>
  el("div", { class: "layers", role: "group", "aria-label": "Layers" }, ...switches(), lookButton());

function lookButton() {
  const button = el("button", { type: "button", class: "look", onclick: nextLook });
  dress(button, lookNow());
  return button;
}

function dress(button, look) {
  button.textContent = LOOKS[look];
  button.title = `Masks are shown by ${HINTS[look]} (L)`;
  button.setAttribute("aria-label", `Masks: ${LOOKS[look]}`);
}

const switches = () => Object.entries(LAYERS).map(([key, name]) => el("label", { title: `Key ${key.toUpperCase()}` },
  el("input", {
    type: "checkbox", checked: on[name], data: { layer: name },
    onchange: (event) => setLayer(name, event.target.checked),
  }), el("span", {}, name[0].toUpperCase() + name.slice(1))));

// The address says what a list is narrowed to and how it is ordered: it can be kept and sent.
export function go(change) {
  const [path, query] = location.hash.split("?"), wanted = new URLSearchParams(query);
  for (const [name, value] of Object.entries(change)) {
    if (value) wanted.set(name, value);
    else wanted.delete(name);
  }
  history.replaceState(null, "", `${path || "#/"}${wanted.size ? `?${wanted}` : ""}`);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

const PAUSE = 150; // milliseconds after a letter

export function filterField(words) {
  let timer = 0;
  return el("input", {
    type: "search", class: "filter", value: words, placeholder: "Filter", title: "Key /",
    "aria-label": "Filter by name of image or category", autocomplete: "off", spellcheck: "false",
    oninput: (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => go({ words: event.target.value.trim() }), PAUSE);
    },
  });
}

export const orderField = (orders, order) => select(
  Object.entries(orders).map(([name, [text]]) => [name, text]), order,
  (value) => go({ order: value }), { "aria-label": "Order" });

setTheme(kept("theme", "auto"));
applyLayers();
setLook(LOOKS[kept("look", "tint")] ? kept("look", "tint") : "tint");
