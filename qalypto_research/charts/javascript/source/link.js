// The link to the kernel: a whole picture (the trait `shown`), then deltas that are numbered from there on, and news of how things are.
// Rows in a delta are whole candles, so that later ones hold good although one was missed; a missed number only asks for a fresh whole,
// until one comes: while JupyterLab connects a page, what either side says may be lost.

const HERE_MS = 5000; // the kernel slows down where no page says that it is there
const AGAIN_MS = 1000;
export const SILENT_MS = 7000;

/** Numbers in a buffer of the widget protocol, which need not be aligned. */
export function toNumbers(view) {
  if (!view || view.byteLength === 0) return new Float64Array(0);
  const bytes = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength);
  return new Float64Array(bytes.slice().buffer);
}

export class Link {
  /**
   * `listener` has onWhole(whole), onDelta(numbers), onStatus(status), and onNews(content, buffers) for what else there is; `lacking` where
   * it lacks something of that.
   */
  constructor(model, listener) {
    this.model = model;
    this.listener = listener;
    this.page = Math.random().toString(36).slice(2);
    this.number = 0;
    this.series = 0;
    this.missed = 0;
    this.lacking = false; // a whole was asked for, and has not come
    this.dark = undefined; // the theme of the page, once it is known
    this.heardAt = performance.now();
    this.askedAt = -Infinity;
    this.asking = 0;
    this.onShown = () => this.takeWhole();
    this.onMessage = (content, buffers) => this.take(content, buffers);
    model.on("change:shown", this.onShown);
    model.on("msg:custom", this.onMessage);
    this.timer = setInterval(() => this.sayHere(), HERE_MS);
    this.takeWhole();
    // A page that was reloaded finds the whole of long ago, and would wait for the next number to know.
    this.send("hello", { series: this.series, number: this.number });
  }

  takeWhole() {
    const whole = this.model.get("shown");
    if (whole.series === undefined) return;
    this.heardAt = performance.now();
    this.number = whole.number;
    this.series = whole.series;
    this.lacking = false;
    this.listener.onWhole({ ...whole, numbers: toNumbers(whole.rows) });
    this.listener.onStatus(whole.status);
  }

  take(content, buffers) {
    this.heardAt = performance.now();
    if (content.kind !== "delta") {
      this.listener.onNews?.(content, buffers ?? []);
      return;
    }
    if (content.status) this.listener.onStatus(content.status);
    if (content.series === this.series && content.number <= this.number) return; // the whole had it
    if (content.series !== this.series || content.number !== this.number + 1) {
      this.missed += 1;
      this.askAgain();
    }
    if (content.series !== this.series) return; // of other candles: their whole is under way
    this.number = content.number;
    if (buffers?.length) this.listener.onDelta(toNumbers(buffers[0]));
  }

  /** Ask for all of it: at once, or as soon as a second is over since it was asked for last. What was missed meanwhile may not be in it. */
  askAgain() {
    this.lacking = true;
    if (this.asking) return;
    const wait = Math.max(0, this.askedAt + AGAIN_MS - performance.now());
    this.asking = setTimeout(() => {
      this.asking = 0;
      this.askedAt = performance.now();
      this.send("again");
    }, wait);
  }

  sayHere() {
    if (this.lacking || this.listener.lacking) this.askAgain();
    else this.send("here", { series: this.series, number: this.number });
  }

  /** Milliseconds since the kernel was last heard. */
  silence() {
    return performance.now() - this.heardAt;
  }

  send(kind, details = {}) {
    try {
      this.model.send({ kind, page: this.page, dark: this.dark, ...details });
    } catch {
      // The kernel is gone: the view says so by itself, once nothing comes any more.
    }
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.asking);
    this.send("gone");
    this.model.off("change:shown", this.onShown);
    this.model.off("msg:custom", this.onMessage);
  }
}
