// The images of the run, with what was found laid over them.

import { ask, attempt, picture } from "./api.js";
import { el, plural, select } from "./dom.js";
import { Endless } from "./endless.js";
import { layerSwitches } from "./layers.js";
import { state } from "./state.js";
import { imageLink } from "./tiles.js";

const ORDERS = [
  ["name", "by name"], ["score", "highest score first"], ["-score", "lowest score first"],
  ["objects", "most objects first"], ["-objects", "fewest objects first"],
];

export function showImages(main, { kind = "all", words = "", order = "name" }, show) {
  // The address says what is wanted: a filter that was typed may come after another order.
  const go = (change) => {
    const wanted = new URLSearchParams(location.hash.split("?")[1]);
    for (const [name, value] of Object.entries(change)) wanted.set(name, value);
    history.replaceState(null, "", `#/images?${wanted}`);
    dispatchEvent(new HashChangeEvent("hashchange"));
  };
  const count = el("p", { class: "soft", role: "status" });
  main.append(el("div", { class: "line sticky" }, tabs(kind, go), filter(words, go),
    select(ORDERS, order, (value) => go({ order: value }), { "aria-label": "Order" }),
    el("span", { class: "push" }), layerSwitches()), count);
  if (kind === "failed") {
    showFailures(main, count);
    return;
  }
  const grid = el("div", { class: "photos" });
  const pages = new Endless(grid,
    async (offset, limit) => {
      const page = await ask("images", { kind, words, order, offset, limit });
      return { total: page.total, items: page.images };
    },
    photo, (total) => { count.textContent = total ? plural(total, "image") : "No image"; });
  main.append(grid, pages.end);
  show(pages);
}

function tabs(kind, go) {
  const { run } = state;
  const names = [["all", "All", run.images], ["low", "Low confidence", run.low],
    ["none", "No object", run.empty], ["failed", "Failed", run.failed]];
  return el("div", { class: "tabs", role: "group", "aria-label": "Which images" },
    ...names.map(([value, text, number]) => el("button", {
      type: "button", "aria-pressed": String(value === kind), onclick: () => go({ kind: value }),
    }, text, " ", el("b", {}, number.toLocaleString("en")))));
}

const PAUSE = 250;

function filter(words, go) {
  let timer = 0;
  return el("input", {
    type: "search", class: "filter", value: words, placeholder: "Filter by name",
    "aria-label": "Filter by name", autocomplete: "off", spellcheck: "false",
    oninput: (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => go({ words: event.target.value.trim() }), PAUSE);
    },
  });
}

function photo(image) {
  const { key, width, height } = image;
  const over = (layer) => el("img", {
    class: layer, src: picture(layer, { key }), alt: "", loading: "lazy", decoding: "async",
  });
  const shown = el("figure", { class: "photo" },
    el("a", { href: imageLink(key), "aria-label": `Open ${key}` },
      el("img", {
        class: "plain", src: picture("thumbnail", { key }), width, height,
        alt: "", loading: "lazy", decoding: "async",
      }), over("regions"), image.objects ? over("masks") : null, image.objects ? over("boxes") : null),
    el("figcaption", {}, el("bdi", { title: key }, key),
      el("span", { class: "soft" }, image.objects
        ? `${plural(image.objects, "object")}, ${image.best.toFixed(2)}` : "no object")));
  shown.style.setProperty("--ratio", Math.min(2.6, Math.max(0.62, width / height)));
  return shown;
}

async function showFailures(main, count) {
  const found = await attempt(() => ask("failures"));
  if (!found) return;
  count.textContent = found.length ? plural(found.length, "image") : "No image";
  if (!found.length) return;
  main.append(el("table", {},
    el("thead", {}, el("tr", {}, ...["Image", "Stage", "Reason"].map(
      (name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...found.map((each) => el("tr", {},
      el("td", {}, el("bdi", {}, each.key)), el("td", {}, each.stage), el("td", {}, each.reason))))));
}
