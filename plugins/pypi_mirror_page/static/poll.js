// Polls every few seconds, and pauses while the page is hidden.

/** `look` is awaited, so that a slow server is asked once at a time; `seconds()` is asked after each. */
export class Poll {
  #timer = null;
  #running = false;
  #look;
  #seconds;

  constructor(look, seconds) {
    this.#look = look;
    this.#seconds = seconds;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#rest() : this.#wake()));
  }

  start() {
    this.#running = true;
    if (!document.hidden) this.now();
  }

  stop() {
    this.#running = false;
    this.#rest();
  }

  /** Look at once, whatever the clock says. */
  async now() {
    this.#rest();
    try {
      await this.#look();
    } finally {
      this.#rest();
      if (this.#running && !document.hidden) this.#timer = setTimeout(() => this.now(), this.#seconds() * 1000);
    }
  }

  #wake() {
    if (this.#running) this.now();
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}
