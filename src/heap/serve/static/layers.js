// Which layers are shown over images: masks, boxes and regions.

import { el } from "./dom.js";
import { keep, kept } from "./state.js";

const NAMES = ["masks", "boxes", "regions"];
const KEYS = { m: "masks", b: "boxes", r: "regions" };
const shown = kept("layers", { masks: true, boxes: false, regions: false });

function apply() {
  for (const name of NAMES) document.body.classList.toggle(`no-${name}`, !shown[name]);
  for (const input of document.querySelectorAll("input[data-layer]")) {
    input.checked = shown[input.dataset.layer];
  }
}

export function setLayer(name, on) {
  shown[name] = on;
  keep("layers", shown);
  apply();
}

export function layerKey(key) {
  const name = KEYS[key.toLowerCase()];
  if (name) setLayer(name, !shown[name]);
  return Boolean(name);
}

export function layerSwitches() {
  return el("div", { class: "layers", role: "group", "aria-label": "Layers" },
    ...NAMES.map((name) => el("label", { title: `Key ${name[0].toUpperCase()}` },
      el("input", {
        type: "checkbox", checked: shown[name], data: { layer: name },
        onchange: (event) => setLayer(name, event.target.checked),
      }), el("span", {}, name[0].toUpperCase() + name.slice(1)))));
}

apply();
