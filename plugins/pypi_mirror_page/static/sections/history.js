// What happened: size, lag, disk and its forecast, and what the runs brought.

import { runLink } from "../airflow_links.js";
import { get } from "../api.js";
import { chart } from "../chart.js";
import { el } from "../dom.js";
import { table } from "../paged_table.js";
import { empty, load } from "../loading.js";
import { KINDS, doneColumns, runState, took } from "../run_words.js";
import { day, duration, number, secondsSince, shortDuration, size, speed } from "../wording.js";

const HOUR = 3600000, DAY = 24 * HOUR;
const PERIODS = [[1, "a day"], [7, "a week"], [30, "30 days"], [90, "90 days"], [365, "a year"]];
const MINUTES = [1, 5, 15, 30, 60, 120, 360, 720, 1440, 2880, 10080, 43200].map((minutes) => minutes * 60);
const RUNS = 50;

export const history = () => {
  const place = el("div", { class: "block" });
  const period = el("select", { id: "period" }, PERIODS.map(([days, words]) => el("option", { value: days, selected: days === 30 }, words)));
  const refresh = () => load(place, async () => render(await get("history", { days: period.value }), Number(period.value)));
  period.addEventListener("change", refresh);
  let made = false;
  return {
    name: "history",
    label: "History",
    open(panel) {
      if (!made) panel.append(el("div", { class: "line" }, el("label", { for: "period" }, "The last"), period), place);
      made = true;
      refresh();
    },
  };
};

/** Where data begins: an empty stretch before it says nothing. */
const start = (runs, samples, to, days) => {
  const began = [...runs.map((run) => run.started_at), ...samples.map((sample) => sample.at)].map(Date.parse);
  return Math.max(to - days * DAY, Math.min(to - HOUR, ...began));
};

const render = ({ runs, samples, forecast }, days) => {
  const to = Date.now(), from = start(runs, samples, to, days);
  const over = (pick) => samples.map((sample) => [Date.parse(sample.at), pick(sample)]);
  const done = runs.filter((run) => run.finished_at !== null);
  const charts = samples.length > 0 && [
    chart({ title: "Behind upstream", from, to, format: duration, mark: shortDuration, steps: MINUTES, floor: 60,
      series: [{ name: "behind for", tone: "warn", kind: "area", points: over((s) => s.lag_seconds) }] }),
    chart({ title: "Size of the mirror", from, to, format: size,
      series: [{ name: "files", tone: "info", kind: "area", points: over((s) => s.bytes) }] }),
    diskChart(samples, forecast, from, to, over),
    chart({ title: "Backlog", from, to, format: (n) => number(Math.round(n * 10) / 10), steps: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000],
      series: [{ name: "projects", tone: "bad", points: over((s) => s.backlog) }] }),
  ];
  return [
    samples.length === 0 && empty("No samples yet. Each run takes one and so does the DAG pypi_mirror_watch every few minutes; the charts begin with the first."),
    el("div", { class: "two" }, charts || null, done.length > 0 && runCharts(done, from, to)),
    from > to - days * DAY + HOUR && el("p", { class: "muted" }, `Data begins on ${day(from)}.`),
    el("h2", null, "Runs"),
    runs.length === 0 ? empty("No run in this time. “Sync now” on the overview starts one.") : runTable(runs.slice(0, RUNS)),
    runs.length > RUNS && el("p", { class: "muted" }, `The newest ${RUNS} of ${number(runs.length)}; Airflow has the rest.`),
  ];
};

const diskChart = (samples, forecast, from, to, over) => {
  const last = samples.at(-1), now = Date.parse(last.at), capacity = last.disk_used + last.disk_free;
  const series = [{ name: "used", tone: "info", kind: "area", points: over((s) => s.disk_used) }];
  // As far ahead as we look back, and no further than the disk reaches.
  const until = Math.min(to + (to - from), forecast.full_at === null ? Infinity : Math.max(Date.parse(forecast.full_at), now));
  const grows = forecast.bytes_a_day !== null && forecast.bytes_a_day > 0;
  if (grows) {
    const then = last.disk_used + (forecast.bytes_a_day * (until - now)) / DAY;
    series.push({ name: "forecast", tone: "warn", kind: "forecast", points: [[now, last.disk_used], [until, Math.min(then, capacity)]] });
  }
  series.push({ name: "whole disk", tone: "bad", points: [[Math.max(from, Date.parse(samples[0].at)), capacity], [grows ? until : now, capacity]] });
  const drawn = chart({ title: "Disk", from, to: grows ? until : to, format: size, series });
  drawn.append(el("p", { class: "muted" }, forecastWords(forecast)));
  return drawn;
};

const forecastWords = ({ full_at: full, bytes_a_day: pace }) => {
  if (pace === null) return "Too few samples for a forecast.";
  if (full === null) return pace > 0 ? `Grows by ${size(pace)} a day; room for more than ten years.` : "Does not grow.";
  return `Grows by ${size(pace)} a day; down to its reserve in ${duration(Math.max(0, -secondsSince(full)))}, on ${day(full)}.`;
};

const seconds = (run) => Math.max(1, (Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000);

const runCharts = (runs, from, to) => {
  const over = (pick) => runs.map((run) => [Date.parse(run.finished_at), pick(run)]).reverse();
  return [
    chart({ title: "Downloaded by each run", from, to, format: size,
      series: [{ name: "downloaded", tone: "info", kind: "bars", points: over((run) => run.bytes) }] }),
    chart({ title: "Throughput of each run", from, to, format: speed,
      series: [{ name: "on average", tone: "good", kind: "bars", points: over((run) => run.bytes / seconds(run)) }] }),
  ];
};

const runTable = (runs) =>
  table("Runs of the mirror, newest first", [
    ["Run", (run) => [runLink(run.name, run.kind, run.started_at), run.reason && el("div", { class: "muted small words" }, run.reason)], "text"],
    ["Kind", (run) => KINDS[run.kind]],
    ["State", (run) => runState(run.state)],
    ["Took", took, "when"],
    ...doneColumns((run) => run),
  ], runs);
