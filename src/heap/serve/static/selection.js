// What is selected in the view, and the bar of what can be done with it.

import { button, el, find, icon } from "./dom.js";

let current = null;

export class Selection {
  // `tell(count)` says what is selected; `actions` are { text, icon, run(ids), fits(ids) }.
  constructor(tell, actions) {
    this.tell = tell;
    this.actions = actions;
    this.chosen = new Map();
    current = this;
    this.show();
  }

  get ids() {
    return [...this.chosen.keys()];
  }

  // The check box that selects `element`.
  box(id, element, name) {
    const input = el("input", {
      type: "checkbox", class: "choose", "aria-label": `Select ${name}`,
      onchange: () => this.set(id, element, input.checked),
    });
    return input;
  }

  set(id, element, on) {
    if (on) this.chosen.set(id, element);
    else this.chosen.delete(id);
    element.classList.toggle("chosen", on);
    this.show();
  }

  clear() {
    for (const element of this.chosen.values()) {
      element.classList.remove("chosen");
      element.querySelector(".choose").checked = false;
    }
    this.chosen.clear();
    this.show();
  }

  show() {
    const bar = find("actions");
    bar.hidden = !this.chosen.size;
    if (bar.hidden) return;
    const fitting = this.actions.filter((each) => !each.fits || each.fits(this.ids));
    bar.replaceChildren(
      el("span", {}, this.tell(this.chosen.size)),
      ...fitting.map((each) => button(each.text(this.ids), () => each.run(this.ids))),
      button(icon("close"), () => this.clear(), { class: "round", "aria-label": "Select nothing" }),
    );
  }

  // The first thing that can be done with what is selected.
  act() {
    this.actions.find((each) => each.key === "x")?.run(this.ids);
  }
}

export const selected = () => (current?.chosen.size ? current : null);

export function forget() {
  current = null;
  find("actions").hidden = true;
}
