// Elements, made so that what a person or a file says is always text.

export const find = (id) => document.getElementById(id);

// A child may be an element, text, or nothing (null, undefined, false).
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(made.dataset, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child || child === 0));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const icon = (name) => svg("svg", { class: "icon" }, svg("use", { href: `#i-${name}` }));

export function button(text, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, text);
}

export function select(options, value, onchange, attributes = {}) {
  const made = el("select", { onchange: () => onchange(made.value), ...attributes },
    ...options.map(([name, text]) => el("option", { value: name }, text)));
  made.value = value;
  return made;
}

export const plural = (count, noun) =>
  `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : noun.endsWith("y") ? "" : "s"}`;

export function number(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

// Whether keys are for the element that has the focus.
export const isTyping = (event) =>
  event.target.closest?.("input:not([type=checkbox]), select, textarea") !== null;
