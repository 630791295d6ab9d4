// The parts of the page as tabs; each has an address of its own (`#backlog`, `#projects/numpy`).

import { shareAddress } from "./airflow_links.js";
import { badge, el } from "./dom.js";
import { number } from "./wording.js";

const address = () => {
  const [name, ...rest] = location.hash.slice(1).split("/");
  return [name, rest.length > 0 ? decodeURIComponent(rest.join("/")) : null];
};

export class Tabs {
  #open = null;
  #parts = new Map();

  /** `parts` are {name, label, open(panel, argument), close()}; the first is shown where the address names none. */
  constructor(list, panels, parts) {
    for (const part of parts) {
      const tally = el("span", { class: "count" });
      const tab = el("a", { role: "tab", id: `tab-${part.name}`, href: `#${part.name}`, "aria-controls": part.name }, part.label, tally);
      // Its id is not the address itself: the browser would scroll to it.
      const panel = el("section", { role: "tabpanel", id: `panel-${part.name}`, "aria-labelledby": tab.id, tabindex: "-1", hidden: true });
      tab.setAttribute("aria-controls", panel.id);
      this.#parts.set(part.name, { ...part, tab, panel, tally });
      list.append(tab);
      panels.append(panel);
    }
    list.addEventListener("keydown", (event) => this.#move(event));
    addEventListener("hashchange", () => this.#show());
    this.#show();
  }

  /** A number behind a tab's name; 0 shows none. */
  tally(name, many, tone, words) {
    const { tally } = this.#parts.get(name);
    tally.replaceChildren(...(many > 0 ? [badge(number(many), tone), el("span", { class: "unseen" }, ` ${words}`)] : []));
  }

  #show() {
    const [name, argument] = address();
    const wanted = this.#parts.get(name) ?? this.#parts.values().next().value;
    for (const part of this.#parts.values()) {
      const selected = part === wanted;
      part.tab.setAttribute("aria-selected", String(selected));
      part.tab.tabIndex = selected ? 0 : -1;
      part.panel.hidden = !selected;
    }
    if (this.#open !== wanted) this.#open?.close?.();
    this.#open = wanted;
    wanted.open(wanted.panel, argument);
    shareAddress();
  }

  #move(event) {
    const tabs = [...this.#parts.values()].map((part) => part.tab), at = tabs.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (event.key === " ") {
      event.preventDefault();
      document.activeElement.click();
    } else if (to !== undefined && at !== -1) {
      event.preventDefault();
      tabs[(to + tabs.length) % tabs.length].focus();
    }
  }
}
