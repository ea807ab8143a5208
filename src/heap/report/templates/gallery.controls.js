// The bar, the theme and the keys.
const bar = find("bar"), ARROWS = /^(Arrow(Left|Right|Up|Down)|Home|End)$/;
const LAYERS = { m: "masks", b: "boxes", r: "regions" };
const viewOf = () => bar.view?.value ?? "images";

function update() {
  const view = viewOf(), wanted = bar.filter.value.toLowerCase().split(/\s+/);
  for (const part of document.querySelectorAll("[data-view]")) {
    part.hidden = part.dataset.view !== view;
  }
  if (board) board.hidden = view !== "categories";
  if (view === "categories") grid.hidden = find("failed").hidden = true;
  find("status").textContent = view === "categories"
    ? updateStrips(bar.order.value, wanted) : updateImages(bar.tab.value, bar.sort.value, wanted);
}

function layers() {
  for (const name of Object.values(LAYERS)) {
    document.body.classList.toggle(`no-${name}`, !bar[name].checked);
  }
}

function switchView() {
  bar.view.value = viewOf() === "images" ? "categories" : "images";
  changeView();
}

function changeView() {
  update();
  // To where the other view begins.
  const top = find("status").parentNode.offsetTop - bar.offsetHeight;
  if (scrollY > top) scrollTo(0, top);
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || find("keys").open) return;
  if (event.target.closest?.("[type=search], select")) return;
  if (act(event)) event.preventDefault();
}

// Whether the key means something here.
function act(event) {
  const letter = event.key.toLowerCase(), layer = LAYERS[letter];
  if (layer) {
    bar[layer].checked = !bar[layer].checked;
    layers();
  } else if (letter === "?") find("keys").showModal();
  else if (viewer.open) return leafBy(event.key);
  else if (letter === "/") bar.filter.focus();
  else if (letter === "c" && board) switchView();
  else if (ARROWS.test(event.key) && !event.target.closest?.("input")) {
    return viewOf() === "categories" ? moveInStrips(event.key) : moveInImages(event.key);
  } else return false;
  return true;
}

function leafBy(name) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[name];
  if (step) leaf(current + step);
  return Boolean(step);
}

bar.addEventListener("submit", (event) => event.preventDefault());
bar.addEventListener("change", (event) => {
  if (event.target.name === "view") changeView();
  else if (Object.values(LAYERS).includes(event.target.name)) layers();
  else update();
});
bar.filter.addEventListener("input", update);
document.addEventListener("keydown", key);
find("help").addEventListener("click", () => find("keys").showModal());
find("theme").value = rememberedTheme();
find("theme").addEventListener("change", (event) => setTheme(event.target.value));
for (const label of document.querySelectorAll("[data-count]")) {
  label.textContent = countOf(label.dataset.count);
}
layers();
update();
