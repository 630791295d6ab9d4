// The settings in force, with what each is for.

import { get } from "../api.js";
import { badge, el } from "../dom.js";
import { table } from "../paged_table.js";
import { load } from "../loading.js";

export const configuration = () => {
  const place = el("div", { class: "block" });
  const changed = el("input", { type: "checkbox", id: "changed" });
  let known = null, made = false;
  const render = () => place.replaceChildren(...sections(known, changed.checked));
  changed.addEventListener("change", () => known && render());
  return {
    name: "configuration",
    label: "Configuration",
    open(panel) {
      if (!made) panel.append(el("div", { class: "line" }, changed, el("label", { for: "changed" }, "Only settings that differ from their default")), place);
      made = true;
      load(place, async () => sections(known = await get("configuration"), changed.checked));
    },
  };
};

const sections = ({ path, sections: all }, onlyChanged) => {
  const shown = all.map(({ name, settings }) => [name, onlyChanged ? settings.filter((setting) => setting.differs) : settings]).filter(([, settings]) => settings.length > 0);
  return [
    el("p", { class: "muted words" }, "From ", el("code", null, path), ". Change the file, then check it with ", el("code", null, `pypi-mirror config check -c ${path}`), "; the next run reads it."),
    ...shown.map(([name, settings]) => el("section", { class: "block" }, el("h2", null, `[${name}]`), table(`Settings of [${name}]`, COLUMNS, settings))),
  ];
};

const COLUMNS = [
  ["Setting", (setting) => el("code", null, setting.key), "setting"],
  ["Value", (setting) => [el("pre", null, setting.value === "" ? "–" : setting.value), setting.differs && badge("set", "info")], "value"],
  ["What it is for", (setting) => setting.doc, "text"],
];
