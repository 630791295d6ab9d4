// Charts over time as SVG: lines or bars, a forecast, and the values under the pointer or the arrow keys.

import { el, svg } from "./dom.js";
import { day, moment } from "./wording.js";

const WIDTH = 400, HEIGHT = 150, LEFT = 62, RIGHT = 4, TOP = 8, BOTTOM = 22;
const RIGHT_EDGE = WIDTH - RIGHT, FLOOR = HEIGHT - BOTTOM;

/** 1, 2 or 5 times a power of ten (or of what the unit counts in), so that about `most` steps reach `top`. */
const stepFor = (top, most, steps) => {
  if (steps) return steps.find((step) => top / step <= most) ?? steps.at(-1) * Math.ceil(top / steps.at(-1) / most);
  const rough = top / most, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough);
};

/**
 * A chart as a figure. `series` are {name, tone, points: [[milliseconds, value or null], …], kind}; a kind is
 * "line" (by default), "area", "bars" or "forecast". `format` writes a value, `mark` one beside the axis, and
 * `steps` are those that the axis may take.
 */
export const chart = ({ title, series, format, mark = format, steps, from, to, floor = 1 }) => {
  const top = Math.max(floor, ...series.flatMap((s) => s.points.map(([, y]) => y ?? 0)));
  const step = stepFor(top, 4, steps), ceiling = Math.ceil(top / step) * step;
  const x = (t) => LEFT + ((t - from) / Math.max(1, to - from)) * (RIGHT_EDGE - LEFT);
  const y = (v) => FLOOR - (v / ceiling) * (FLOOR - TOP);
  const readout = el("span", { class: "readout", "aria-live": "polite" });
  const cross = svg("line", { class: "cross", y1: TOP, y2: FLOOR, visibility: "hidden" });
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: "0",
    "aria-label": `${title}: ${summary(series, format)}. Arrow keys read the values.` },
    axis(ceiling, step, y, mark), calendar(from, to, x), series.map((s) => drawn(s, x, y, from, to)), cross);
  followPointer(drawing, { series, format, x, cross, readout, from, to });
  return el("figure", { class: "chart card" },
    el("figcaption", null,
      el("h3", null, title),
      series.length > 1 && series.map((s) => el("span", { class: "legend small muted", "data-tone": s.tone }, s.name)),
      readout),
    drawing);
};

const axis = (ceiling, step, y, format) => {
  const marks = [];
  for (let value = 0; value <= ceiling * 1.001; value += step) {
    marks.push(svg("line", { class: "grid", x1: LEFT, x2: RIGHT_EDGE, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)));
  }
  return marks;
};

const calendar = (from, to, x) => {
  const short = to - from < 2 * 86400000, anchors = ["start", "middle", "middle", "end"];
  return anchors.map((anchor, index) => {
    const at = from + ((to - from) * index) / 3;
    return svg("text", { x: x(at), y: HEIGHT - 6, "text-anchor": anchor }, short ? moment(at).slice(11) : day(at).slice(5));
  });
};

const drawn = ({ points, tone, kind = "line" }, x, y, from, to) => {
  const within = points.filter(([t]) => t >= from && t <= to);
  if (kind === "bars") {
    return within.filter(([, v]) => v !== null).map(([t, v]) =>
      svg("rect", { class: `tone-${tone}`, x: x(t) - 1.5, width: 3, y: y(v), height: Math.max(v > 0 ? 1 : 0, FLOOR - y(v)) }));
  }
  return pieces(within).map((piece) => {
    const line = piece.map(([t, v], index) => `${index ? "L" : "M"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    const curve = piece.length === 1
      ? svg("circle", { class: `tone-${tone}`, cx: x(piece[0][0]), cy: y(piece[0][1]), r: 2 })
      : svg("path", { class: `curve tone-${tone}${kind === "forecast" ? " forecast" : ""}`, d: line });
    if (kind !== "area") return curve;
    const under = `${line}L${x(piece.at(-1)[0]).toFixed(1)} ${FLOOR}L${x(piece[0][0]).toFixed(1)} ${FLOOR}Z`;
    return [svg("path", { class: `area tone-${tone}`, d: under }), curve];
  });
};

/** What is unknown leaves a gap. */
const pieces = (points) =>
  points.reduce((found, point) => {
    if (point[1] === null) found.push([]);
    else found.at(-1).push(point);
    return found;
  }, [[]]).filter((piece) => piece.length > 0);

const summary = (series, format) =>
  series.map((s) => {
    const values = s.points.map(([, v]) => v).filter((v) => v !== null);
    if (values.length === 0) return `${s.name} unknown`;
    return `${s.name} from ${format(Math.min(...values))} to ${format(Math.max(...values))}, at last ${format(values.at(-1))}`;
  }).join("; ");

const followPointer = (drawing, { series, format, x, cross, readout, from, to }) => {
  const times = [...new Set(series.flatMap((s) => s.points.map(([t]) => t)))].filter((t) => t >= from && t <= to).sort((a, b) => a - b);
  let index = times.length - 1;
  const read = () => {
    const at = times[index];
    const values = series.flatMap((s) => s.points.filter(([t, v]) => t === at && v !== null).map(([, v]) => `${s.name} ${format(v)}`));
    readout.textContent = `${moment(at)}: ${values.join(", ") || "unknown"}`;
    cross.setAttribute("x1", x(at));
    cross.setAttribute("x2", x(at));
    cross.setAttribute("visibility", "visible");
  };
  const forget = () => {
    readout.textContent = "";
    cross.setAttribute("visibility", "hidden");
  };
  if (times.length === 0) return;
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const pointed = ((event.clientX - box.left) / box.width) * WIDTH;
    index = times.reduce((best, t, i) => (Math.abs(x(t) - pointed) < Math.abs(x(times[best]) - pointed) ? i : best), 0);
    read();
  });
  drawing.addEventListener("pointerleave", forget);
  drawing.addEventListener("blur", forget);
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -times.length, End: times.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    index = Math.max(0, Math.min(times.length - 1, index + step));
    read();
  });
};
