// Elements, made so that the words of a person or a file are always text.

export const find = (id) => document.getElementById(id);

// A child may be an element, text, or nothing (null, undefined, false).
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child || child === 0));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const icon = (name) =>
  svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));

export function button(content, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, ...[content].flat());
}

// Attribute of what changes the run: it is disabled as long as nothing can be changed, see live.js.
export const corrects = { "data-corrects": "" };

// A round button that is only a sign; `name` is read aloud and shown as a hint.
export const sign = (name, shape, onclick, attributes = {}) => button(icon(shape), onclick,
  { class: "round", "aria-label": name, title: name, ...attributes });

export function select(options, value, onchange, attributes = {}) {
  const element = el("select", { onchange: () => onchange(element.value), ...attributes },
    options.map(([name, text]) => el("option", { value: name }, text)));
  element.value = value;
  return element;
}

export function number(count, singular, plural = `${singular}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? singular : plural}`;
}

export const objectsIn = (count) => number(count, "object");
export const categoriesIn = (count) => number(count, "category", "categories");

export function timeLeft(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "less than a minute left";
  return minutes < 90 ? `about ${number(minutes, "minute")} left` : `about ${number(Math.round(minutes / 60), "hour")} left`;
}

// "3 of 17 images", or "17 images" where that is all of them.
export const part = (some, all, noun) =>
  (some === all ? noun(all) : `${some ? some.toLocaleString("en") : "None"} of ${noun(all)}`);

// Whether keys are for the element that has the focus.
export const isTyping = (event) =>
  Boolean(event.target.closest?.("input:not([type=checkbox], [type=radio]), select, textarea"));

// In a browser that keeps nothing, choices last as long as the page.
export function kept(name, usual) {
  try {
    return JSON.parse(localStorage.getItem(`heap-${name}`)) ?? usual;
  } catch {
    return usual;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(`heap-${name}`, JSON.stringify(value));
  } catch { /* Nothing depends on it. */ }
}
