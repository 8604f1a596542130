// The live chart: candles, what they are of, how things are, and the controls.
import { Candles, isImpossible, isShown, toRows } from "./candles.js";
import { SILENT_MS, Link } from "./link.js";
import { isDark, watchTheme } from "./theme.js";
import { Zone } from "./zone.js";

const ICONS = {
  pause: '<svg viewBox="0 0 16 16"><path d="M4.5 3h2.4v10H4.5zM9.1 3h2.4v10H9.1z"/></svg>',
  resume: '<svg viewBox="0 0 16 16"><path d="M5 3l8 5-8 5z"/></svg>',
  newest: '<svg viewBox="0 0 16 16"><path d="M3 3l6 5-6 5zM10.6 3H13v10h-2.4z"/></svg>',
};
const UNHEARD_MS = 12_000; // of what a page says every five seconds, two were lost
const CHOICES = ["symbol", "interval", "exchange"];

export function make(tag, name, parent) {
  const made = document.createElement(tag);
  made.className = `qalypto-${name}`;
  parent?.append(made);
  return made;
}

export class ChartView {
  constructor(model, el) {
    this.model = model;
    this.pending = new Map(); // rows to draw with the next frame, by time
    this.frame = 0;
    this.drawn = 0;
    this.status = {};
    this.whole = {};
    this.zone = new Zone(model.get("zone"));
    this.root = make("div", "chart", el);
    this.root.view = this; // for whoever looks at it from the browser's console, and for tests
    this.buildBar();
    // The chart measures its own box: an element with a height of its own, or both would grow without end.
    this.box = make("div", "box", this.root);
    this.legend = make("div", "legend", this.box);
    this.candles = new Candles(this.box, this.zone);
    this.candles.chart.subscribeCrosshairMove((move) => this.showLegend(move));
    this.trouble = make("div", "trouble", this.root);
    this.observed = [
      ["change:paused", () => this.showPaused()],
      ["change:choices", () => this.showChoices()],
      ["change:left", () => this.showPicture()],
      ["change:theme", () => this.paint()],
      ["change:zone", () => this.showZone()],
      ["change:height", () => this.showHeight()],
    ];
    for (const [event, react] of this.observed) model.on(event, react);
    this.endTheme = watchTheme(() => this.paint());
    this.showHeight();
    this.paint();
    this.showChoices();
    this.link = new Link(model, this);
    this.tellTheme();
    this.showPaused();
    this.timer = setInterval(() => this.showStatus(), 500);
    this.showPicture(); // last: it closes the view, and all that was begun
  }

  buildBar() {
    const bar = make("div", "bar", this.root);
    this.selects = {};
    for (const name of CHOICES) {
      const select = make("select", "choice", bar);
      select.setAttribute("aria-label", name);
      select.dataset.choice = name;
      select.addEventListener("change", () => this.choose());
      this.selects[name] = select;
    }
    this.buildZone(bar);
    if (this.model.get("synthetic")) {
      const badge = make("span", "badge", bar);
      badge.textContent = "synthetic";
      badge.title = "made by a generator, not the market";
    }
    make("span", "space", bar);
    this.dot = make("i", "dot", bar);
    this.told = make("span", "told", bar);
    this.newest = this.button(bar, "newest", "Go to the newest candle", () => this.candles.chart.timeScale().scrollToRealTime());
    this.pause = this.button(bar, "pause", "", () => this.setPaused(!this.model.get("paused")));
  }

  buildZone(bar) {
    this.zoneName = make("span", "zone", bar);
    this.zoneName.title = "Zone in which times are written; candles of whole days are those of UTC";
    this.zoneName.textContent = this.zone.name;
  }

  button(bar, name, title, react, icon = ICONS[name]) {
    const button = make("button", "button", bar);
    button.type = "button";
    button.dataset.does = name;
    button.title = title;
    button.innerHTML = icon;
    button.addEventListener("click", react);
    return button;
  }

  // --- From the kernel ------------------------------------------------------------------------------------------

  onWhole(whole) {
    const same = whole.series === this.whole.series;
    this.whole = whole;
    this.asking = false;
    this.pending.clear();
    const rows = toRows(whole.numbers);
    this.postponed = same && this.model.get("paused") ? rows : null;
    if (this.postponed) return; // it is shown when the pause ends
    this.guard(() => (same ? this.candles.reload(rows, whole) : this.candles.open(rows, whole)));
    this.showChoices();
    this.showLegend();
  }

  onDelta(numbers) {
    for (const row of toRows(numbers)) this.pending.set(row.time, row);
    this.drawSoon();
  }

  onStatus(status) {
    this.status = status;
    const heard = !status.heard || status.heard.includes(this.link?.page);
    this.unheardAt = heard ? null : (this.unheardAt ?? performance.now());
    this.showStatus();
  }

  // --- Drawing --------------------------------------------------------------------------------------------------

  drawSoon() {
    if (this.model.get("paused")) return;
    if (this.pending.size > this.whole.most) this.draw(); // a page in the background has no frames, and this must not grow for days
    else if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.model.get("paused")) return;
    const rows = [...this.pending.values()].sort((a, b) => a.time - b.time);
    const { postponed } = this;
    this.postponed = null;
    this.pending.clear();
    this.guard(() => {
      if (postponed) this.candles.reload(postponed, this.whole);
      this.candles.apply(rows);
    });
    this.drawn += 1;
    this.showLegend();
  }

  /** What fails is said in the chart, and a fresh whole is asked for; the drawing goes on. */
  guard(draw) {
    try {
      draw();
      this.wrong = "";
    } catch (error) {
      this.wrong = `The chart could not be drawn: ${error.message}`;
      this.link?.askAgain();
    }
    this.showTrouble();
  }

  paint() {
    const dark = isDark(this.model.get("theme"));
    const colours = this.model.get("colours")[dark ? "dark" : "light"];
    this.root.dataset.theme = dark ? "dark" : "light";
    for (const [name, colour] of Object.entries(colours)) this.root.style.setProperty(`--qalypto-${name}`, colour);
    this.candles.paint(colours);
    this.tellTheme();
  }

  /** The kernel's pictures have the theme of the page: it is in all that is said, and a change is said at once. */
  tellTheme() {
    const dark = this.root.dataset.theme === "dark";
    if (!this.link || dark === this.link.dark) return;
    this.link.dark = dark;
    this.link.send("theme");
  }

  showZone() {
    this.zone = new Zone(this.model.get("zone"));
    if (this.zoneName) this.zoneName.textContent = this.zone.name;
    this.candles.setZone(this.zone);
    this.showTrouble();
  }

  showHeight() {
    this.box.style.height = `${this.model.get("height")}px`;
  }

  showLegend(move) {
    if (move) this.pointed = move.time;
    const row = this.candles.rows.get(this.pointed) ?? this.candles.newest;
    if (!row || (!isShown(row) && !isImpossible(row))) {
      this.legend.textContent = row ? "no candle here" : "no candles yet";
      return;
    }
    const { price } = this.candles;
    const change = (row.close / row.open - 1) * 100;
    const volume = row.volume.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 2 });
    const known = [
      ["O", price(row.open)],
      ["H", price(row.high)],
      ["L", price(row.low)],
      ["C", price(row.close)],
      ["", `${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(2)} %`],
      ["Vol", Number.isNaN(row.volume) ? "not known" : volume],
    ];
    const parts = isShown(row) ? known : [...known.slice(0, 4), ["", "no market can have these prices"]];
    this.legend.dataset.side = !isShown(row) ? "none" : row.close >= row.open ? "up" : "down";
    this.legend.replaceChildren(
      ...parts.map(([name, value]) => {
        const part = make("span", "value");
        if (name) make("b", "name", part).textContent = name;
        part.append(value);
        return part;
      }),
    );
  }

  // --- The bar --------------------------------------------------------------------------------------------------

  choose() {
    const chosen = Object.fromEntries(CHOICES.map((name) => [name, this.selects[name].value]));
    this.asking = true;
    this.showStatus();
    this.link.send("choose", chosen);
  }

  /** Nobody answers: what is chosen is what is shown. */
  giveUpAsking() {
    if (!this.asking) return;
    this.asking = false;
    this.showChoices();
  }

  showChoices() {
    const choices = this.model.get("choices");
    for (const name of CHOICES) {
      const select = this.selects[name];
      const shown = this.whole[name];
      const there = choices[`${name}s`] ?? [];
      const names = shown && !there.includes(shown) ? [shown, ...there] : there;
      if (names.join() !== [...select.options].map((option) => option.value).join()) {
        select.replaceChildren(...names.map((value) => new Option(value, value)));
      }
      select.disabled = names.length < 2;
      if (shown && !this.asking) select.value = shown;
    }
  }

  setPaused(paused) {
    this.model.set("paused", paused);
    this.model.save_changes();
    this.showPaused(); // at once: the kernel may be busy, and not listen
  }

  showPaused() {
    const paused = this.model.get("paused");
    this.root.dataset.paused = paused;
    this.pause.innerHTML = ICONS[paused ? "resume" : "pause"];
    this.pause.title = paused ? "Go on" : "Pause the picture; the buffer keeps filling";
    this.pause.setAttribute("aria-label", this.pause.title);
    if (!paused && (this.postponed || this.pending.size)) this.drawSoon();
    this.showStatus();
  }

  showStatus() {
    const { state = "", reason = "", age = null, stale = Infinity } = this.status;
    const silent = this.link ? this.link.silence() : 0;
    let told = [state, "good"];
    if (silent > SILENT_MS) {
      told = [`no word from the kernel for ${Math.round(silent / 1000)} s`, "bad"];
      this.giveUpAsking();
    } else if (this.isUnheard()) {
      told = ["the kernel does not hear this page: load it again", "bad"];
      this.giveUpAsking();
    } else if (this.asking) told = ["asking the kernel", "waiting"];
    else if (this.model.get("paused")) told = ["paused", "waiting"];
    else if (state === "failed" || state === "stopped") told = [state, "bad"];
    else if (state !== "live") told = [state === "waiting" ? "connecting again" : state, "waiting"];
    else if (age !== null && age > stale) told = [`live, the newest is ${Math.round(age)} s old`, "waiting"];
    [this.told.textContent, this.root.dataset.state] = told;
    this.told.title = reason;
    this.showTrouble();
  }

  isUnheard() {
    return Boolean(this.unheardAt) && performance.now() - this.unheardAt > UNHEARD_MS;
  }

  showTrouble() {
    const { impossible } = this.candles;
    const untrue = impossible && `${impossible} ${impossible > 1 ? "candles are" : "candle is"} not drawn (red): no market can have such prices.`;
    const said = [this.wrong, this.status.trouble, this.whole.note, this.zone.trouble, untrue].filter(Boolean).join("  ");
    if (this.trouble.textContent !== said) this.trouble.textContent = said;
  }

  /** In place of the chart, once the kernel has ended it. */
  showPicture() {
    const { data, metadata } = this.model.get("left");
    if (!data) return;
    const image = make("img", "picture");
    image.src = `data:image/png;base64,${data["image/png"]}`;
    image.alt = metadata["image/png"].alt;
    const { parentElement } = this.root;
    this.close();
    this.root.remove();
    parentElement?.append(image);
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    for (const [event, react] of this.observed) this.model.off(event, react);
    this.endTheme();
    this.link?.close();
    this.candles.close();
  }
}
