// How each tool is told to use the mirror.

import { get } from "../api.js";
import { el } from "../dom.js";
import { load } from "../loading.js";

const SHOWN_FOR = 2000;

export const clients = (context) => ({
  name: "clients",
  label: "Clients",
  open: (panel) => load(panel, async () => render(context, await get("clients"))),
});

const render = (context, { index_url: url, served, snippets }) => [
  !served && el("p", { class: "note", "data-tone": "warn" }, "[site] enabled is off: the address is right only if your own web server serves the mirror there."),
  el("p", { class: "words" }, "The index is at ", el("code", null, url), ". Copy the lines for your tool. The environment variables for containers, CI and the shell set the index for pip and uv."),
  el("div", { class: "snippets" }, snippets.map((snippet) => block(context, snippet))),
];

const block = (context, { name, place, text }) => {
  const code = el("code", null, text);
  const button = el("button", { type: "button", "aria-label": `Copy the lines for ${name}` }, "Copy");
  button.addEventListener("click", async () => {
    await copy(code);
    button.textContent = "Copied";
    context.announce(`The lines for ${name} are copied.`);
    setTimeout(() => { button.textContent = "Copy"; }, SHOWN_FOR);
  });
  return el("section", { class: "block" },
    el("div", { class: "line" }, el("h2", null, name), el("span", { class: "muted" }, place), button),
    el("pre", { class: "snippet", tabindex: "0", "aria-label": `Lines for ${name}` }, code));
};

const copy = async (code) => {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Browsers keep the clipboard from pages that came by plain http, and from frames.
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
    getSelection().removeAllRanges();
  }
};
