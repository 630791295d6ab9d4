// Elements from values. What upstream or a file says is only ever set as text, never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

const fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

/** `el("p", {class: "muted", onclick: f}, "text", other)`; null, undefined and false are left out. */
export const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** A CSS length of an element; the page's policy forbids style attributes, and permits this. */
export const withWidth = (element, share) => {
  element.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return element;
};

/** Show `children` in `parent`, unless `value` is what was shown last: focus and selection stay where they are. */
export const show = (parent, value, children) => {
  const key = JSON.stringify(value);
  if (parent.shown === key) return;
  parent.shown = key;
  parent.replaceChildren(...[children()].flat(Infinity).filter(Boolean));
};

export const badge = (text, tone) => el("span", { class: "badge", "data-tone": tone }, text);

/** A bar of [share, class] parts; its figures stand beside it as text, so readers are spared it. */
export const bar = (...parts) =>
  el("div", { class: "bar", "aria-hidden": "true" },
    parts.map(([share, kind]) => withWidth(el("span", { class: kind }), share)));

export const facts = (pairs) =>
  el("dl", { class: "facts" },
    pairs.filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => [el("dt", null, name), el("dd", null, value)]));
