// The sheet that exports the run, a category or what is selected for other tools.

import { button, el, find, number, objectsIn } from "./dom.js";
import { APART, run } from "./run.js";
import { live } from "./live.js";
import { say } from "./say.js";
import { attempt, tell } from "./source.js";

// Name, title, what is written, and whether photos usually come with it.
const FORMATS = [
  ["coco", "COCO", "one JSON file with run-length masks", false],
  ["coco-polygons", "COCO, polygons", "the same for tools that take no run lengths", false],
  ["yolo", "YOLO", "images, and a polygon for each object", true],
  ["yolo-detect", "YOLO, boxes", "images, and a box for each object", true],
  ["voc", "Pascal VOC", "XML files and maps, laid out as VOC 2012", true],
  ["labelme", "LabelMe", "polygons beside the images, to correct by hand", true],
  ["csv", "CSV", "a row for each object", false],
  ["parquet", "Parquet", "the same, with the embeddings", false],
  ["masks", "Masks", "a label map for each image", false],
];
const SPLITS = [["", "none"], ["train=0.8,val=0.2", "80 % train, 20 % val"],
  ["train=0.8,val=0.1,test=0.1", "80 % train, 10 % val, 10 % test"]];
const ALL = { title: "Export", selection: {} };

let following = null; // the number of the export whose end the page waits for
let asked = ALL; // what the form was last opened for

const sheet = () => find("export-sheet");

export const exportObjects = (ids) => openExport({ title: `Export ${objectsIn(ids.length)}`, selection: { ids } });

export function exportCategories(ids) {
  const titles = ids.map((id) => `“${run.groups.get(id).title}”`);
  const where = ids.length === 1 && ids[0] < APART ? "category IS NULL" : `category IN (${ids.join(", ")})`;
  return openExport({ title: `Export ${titles.length > 3 ? number(titles.length, "category", "categories") : titles.join(", ")}`,
    selection: { where } });
}

// `what` is a title, and the selection as the server takes it.
export function openExport(what = ALL) {
  if (following || live.export?.state === "running") follow(following ?? live.export.number);
  else showForm(what);
  if (!sheet().open) sheet().showModal();
}

function showForm(what) {
  asked = what;
  const named = run.categories.some((each) => !each.rejected), whole = what === ALL;
  const photos = el("input", { type: "checkbox", name: "photos" });
  const choose = () => { photos.checked = FORMATS.find(([value]) => value === form.format.value)[3]; };
  const form = el("form", { method: "dialog" },
    el("h2", { id: "export-title" }, what.title),
    el("div", { class: "formats", role: "radiogroup", "aria-label": "Format", onchange: choose },
      ...FORMATS.map(([value, title, text], place) => el("label", { class: "format" },
        el("input", { type: "radio", name: "format", value, checked: place === 0 }),
        el("b", {}, title), el("span", { class: "soft" }, text)))),
    el("label", { class: "row" }, el("input", {
      type: "checkbox", name: "categories", checked: named, disabled: !named,
    }), "categories are the classes"),
    el("label", { class: "row" }, photos, "with the photos"),
    el("label", { class: "row" }, el("input", { type: "checkbox", name: "crops" }),
      "also each object cut out"),
    el("label", { class: "row" }, "splits", el("select", { name: "split" },
      ...SPLITS.map(([value, text]) => el("option", { value }, text)))),
    el("label", { class: "row" }, "objects that score at least", el("input", {
      type: "number", name: "score", min: 0, max: 1, step: 0.05, value: 0,
    })),
    el("p", { class: "soft" }, whole ? "What was rejected is left out."
      : "Only these objects, and the images that they are in. What was rejected is left out."),
    el("p", { class: "bad", role: "alert" }),
    el("div", { class: "buttons" }, button("Cancel", () => sheet().close(), { class: "quiet" }),
      el("button", { class: "strong" }, "Export")));
  form.addEventListener("submit", (event) => { event.preventDefault(); start(form); });
  sheet().replaceChildren(form);
}

async function start(form) {
  const wanted = {
    ...asked.selection, format: form.format.value, categories: form.categories.checked, crops: form.crops.checked,
    images: form.photos.checked ? "copy" : "none", split: form.split.value, min_score: Number(form.score.value),
  };
  const refuse = (reason) => { form.querySelector(".bad").textContent = reason; };
  const begun = await attempt(() => tell("export", wanted), refuse);
  if (begun) follow(begun.number);
}

function showProgress(now = {}) {
  const bar = el("progress", { "aria-label": "Exported" });
  if (now.total) Object.assign(bar, { max: now.total, value: now.done });
  const text = now.total ? `Exporting: ${now.done.toLocaleString("en")} of ${number(now.total, "image")} …` : "Exporting …";
  if (sheet().dataset.state !== "running") {
    sheet().dataset.state = "running";
    sheet().replaceChildren(el("h2", { id: "export-title" }, "Export"), bar, el("p", { class: "soft" }, text),
      el("p", { class: "soft" }, "It goes on while you do something else."),
      el("div", { class: "buttons" }, button("Close", () => sheet().close(), { class: "quiet" })));
  } else {
    sheet().querySelector("progress").replaceWith(bar);
    sheet().querySelector("p").textContent = text;
  }
}

function follow(number) {
  following = number;
  showProgress(live.export?.number === number ? live.export : {});
  heed();
}

// Shows the progress and the end of an export, by the last event.
function heed() {
  const now = live.export;
  // An export ends with heap serve; a bar says that.
  if (following && live.isLost) { following = null; delete sheet().dataset.state; sheet().close(); }
  if (!following || !(now?.number >= following)) return;
  if (now.state === "running") { showProgress(now); return; }
  following = null;
  delete sheet().dataset.state;
  if (sheet().open) tellEnd(now);
  else if (now.state === "done") say("The export is done", "good", { text: "Show", run: () => { tellEnd(now); sheet().showModal(); } });
  else say(now.reason, "bad");
}

addEventListener("heap:live", heed);

function tellEnd(now) {
  const close = button("Close", () => sheet().close(), { class: "quiet" });
  if (now.state !== "done") {
    sheet().replaceChildren(el("h2", { id: "export-title" }, "That did not work"),
      el("p", {}, now.reason), el("div", { class: "buttons" },
        button("Back", () => showForm(asked), { class: "quiet" }), close));
    return;
  }
  const facts = [objectsIn(now.objects), `in ${number(now.images, "image")}`,
    now.crops && `${now.crops} cut out`, now.unread && `${now.unread} images could not be read again`];
  sheet().replaceChildren(
    el("h2", { id: "export-title" }, "Exported"),
    el("p", {}, facts.filter(Boolean).join(", ")),
    ...now.classes.length > 1 ? [el("p", { class: "soft" }, `Classes: ${now.classes.join(", ")}`)] : [],
    el("p", { class: "soft" }, "In ", el("code", {}, now.folder)),
    el("p", { class: "soft" }, "Read it with ", el("code", {}, now.reader)),
    el("div", { class: "buttons" }, close, el("a", {
      class: "strong", href: "api/export/archive", download: "", id: "archive",
    }, "Download as ZIP")));
}
