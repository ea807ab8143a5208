// The sheet that exports the run for other tools.

import { button, el, find, number, objectsIn } from "./dom.js";
import { run } from "./run.js";
import { ask, attempt, tell } from "./source.js";

const FORMATS = [
  ["coco", "COCO", "one JSON file with run-length masks"],
  ["coco-polygons", "COCO, polygons", "the same for tools that take no run lengths"],
  ["yolo", "YOLO", "images, and a polygon for each object"],
  ["yolo-detect", "YOLO, boxes", "images, and a box for each object"],
  ["voc", "Pascal VOC", "XML files and maps, laid out as VOC 2012"],
  ["labelme", "LabelMe", "polygons beside the images, to correct by hand"],
  ["csv", "CSV", "a row for each object"],
  ["parquet", "Parquet", "the same, with the embeddings"],
  ["masks", "Masks", "a label map for each image"],
];
const SPLITS = [["", "none"], ["train=0.8,val=0.2", "80 % train, 20 % val"],
  ["train=0.8,val=0.1,test=0.1", "80 % train, 10 % val, 10 % test"]];
const PAUSE = 300;

const sheet = () => find("export-sheet");

export function openExport() {
  const named = run.categories.some((each) => !each.rejected);
  const form = el("form", { method: "dialog" },
    el("h2", { id: "export-title" }, "Export"),
    el("div", { class: "formats", role: "radiogroup", "aria-label": "Format" },
      ...FORMATS.map(([value, title, text], place) => el("label", { class: "format" },
        el("input", { type: "radio", name: "format", value, checked: place === 0 }),
        el("b", {}, title), el("span", { class: "soft" }, text)))),
    el("label", { class: "row" }, el("input", {
      type: "checkbox", name: "categories", checked: named, disabled: !named,
    }), "categories are the classes"),
    el("label", { class: "row" }, el("input", { type: "checkbox", name: "crops" }),
      "also each object cut out"),
    el("label", { class: "row" }, "splits", el("select", { name: "split" },
      ...SPLITS.map(([value, text]) => el("option", { value }, text)))),
    el("label", { class: "row" }, "objects that score at least", el("input", {
      type: "number", name: "score", min: 0, max: 1, step: 0.05, value: 0,
    })),
    el("p", { class: "soft" }, "What was rejected is left out."),
    el("div", { class: "buttons" }, button("Cancel", () => sheet().close(), { class: "quiet" }),
      el("button", { class: "strong" }, "Export")));
  form.addEventListener("submit", (event) => { event.preventDefault(); start(form); });
  sheet().replaceChildren(form);
  if (!sheet().open) sheet().showModal();
}

async function start(form) {
  const started = await attempt(() => tell("export", {
    format: form.format.value, categories: form.categories.checked, crops: form.crops.checked,
    split: form.split.value, min_score: Number(form.score.value),
  }));
  if (started) follow();
}

async function follow() {
  const bar = el("progress", {}), text = el("p", { class: "soft" }, "Exporting …");
  sheet().replaceChildren(el("h2", { id: "export-title" }, "Export"), bar, text);
  for (;;) {
    const now = await attempt(() => ask("export"));
    if (!now) { sheet().close(); return; }
    if (now.state !== "running") { tellEnd(now); return; }
    if (now.total) { bar.max = now.total; bar.value = now.done; }
    await new Promise((go) => { setTimeout(go, PAUSE); });
  }
}

function tellEnd(now) {
  const close = button("Close", () => sheet().close(), { class: "quiet" });
  if (now.state !== "done") {
    sheet().replaceChildren(el("h2", { id: "export-title" }, "That did not work"),
      el("p", {}, now.reason), el("div", { class: "buttons" },
        button("Back", openExport, { class: "quiet" }), close));
    return;
  }
  const facts = [objectsIn(now.objects), `in ${number(now.images, "image")}`,
    now.crops && `${now.crops} cut out`, now.unread && `${now.unread} images could not be read again`];
  sheet().replaceChildren(
    el("h2", { id: "export-title" }, "Exported"),
    el("p", {}, facts.filter(Boolean).join(", ")),
    el("p", { class: "soft" }, "In ", el("code", {}, now.folder)),
    el("p", { class: "soft" }, "Read it with ", el("code", {}, now.reader)),
    el("div", { class: "buttons" }, close, el("a", {
      class: "strong", href: "api/export/archive", download: "", id: "archive",
    }, "Download as ZIP")));
}
