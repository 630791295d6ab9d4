// Numbers and times as a person says them, for the site's front page and the page in Airflow; pypi_mirror/wording.py
// writes the same.

const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"];
const MINUTE = 60, HOUR = 3600, DAY = 86400;
// Below so many hours or days, the minutes or hours matter.
const FEW = 6;

export const number = (n) => n.toLocaleString("en");

export const count = (n, noun, plural = `${noun}s`) => `${number(n)} ${n === 1 ? noun : plural}`;

/** `3 of 12 files` while some are to be done, else `12 files`. */
export const of = (done, planned, noun, plural) => planned > done ? `${number(done)} of ${count(planned, noun, plural)}` : count(done, noun, plural);

export const size = (bytes) => {
  if (Math.abs(bytes) === 1) return `${bytes < 0 ? "−" : ""}1 byte`;
  let value = Math.abs(bytes), unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) { value /= 1000; unit += 1; }
  const text = value.toFixed(unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
  return `${bytes < 0 ? "−" : ""}${text} ${UNITS[unit]}`;
};

export const speed = (bytesASecond) => `${size(Math.floor(bytesASecond))}/s`;

/** A share of 1, rounded down, so that 100% is all of it. */
export const percent = (share) => `${Math.floor(share * 100)}%`;

/** `12 minutes`, `3 hours 2 minutes`, `45 days`: one unit, rounded down, and the next one where the first is small. */
export const duration = (seconds) => {
  if (seconds < MINUTE) return count(Math.max(0, Math.floor(seconds)), "second");
  if (seconds < HOUR) return count(Math.floor(seconds / MINUTE), "minute");
  const [large, small, noun, part] = seconds < 2 * DAY ? [HOUR, MINUTE, "hour", "minute"] : [DAY, HOUR, "day", "hour"];
  const whole = Math.floor(seconds / large), rest = Math.floor((seconds % large) / small);
  return whole < FEW && rest > 0 ? `${count(whole, noun)} ${count(rest, part)}` : count(whole, noun);
};

/** `30 min`, `1.5 h`, `2 d`: for the side of a chart. */
export const shortDuration = (seconds) => {
  const [length, unit] = seconds < HOUR ? [MINUTE, "min"] : seconds < 2 * DAY ? [HOUR, "h"] : [DAY, "d"];
  return `${Number((seconds / length).toFixed(1))} ${unit}`;
};

export const secondsSince = (time) => (Date.now() - new Date(time).getTime()) / 1000;

export const ago = (time) => {
  const seconds = secondsSince(time);
  if (Math.abs(seconds) < MINUTE) return seconds < 0 ? "in less than a minute" : "less than a minute ago";
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
};

const two = (n) => String(n).padStart(2, "0");

/** In the reader's time zone, which the table's heading does not have to name: the tooltip has it in UTC. */
export const moment = (time) => {
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
};

export const day = (time) => moment(time).slice(0, 10);

/** `sync`, `mirrored` ... as the beginning of a sentence. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
