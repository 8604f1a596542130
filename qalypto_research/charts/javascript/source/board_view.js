// The dashboard: the chart, and panes around it. Panes come whole and numbered; a missed number asks for all of them again.
import { BookPane } from "./book_pane.js";
import { ChartView, make } from "./chart_view.js";
import { EventsPane, HealthPane } from "./health_panes.js";
import { QuotesPane } from "./quotes_pane.js";
import { TapePane } from "./tape_pane.js";
import { isDark } from "./theme.js";
import { toNumbers } from "./link.js";

const SNAPSHOT =
  '<svg viewBox="0 0 16 16"><path d="M6 3l-1 1.6H2.5v8h11v-8H11L10 3zm2 2.6a3 3 0 110 6 3 3 0 010-6zm0 1.3a1.7 1.7 0 100 3.4 1.7 1.7 0 000-3.4z"/></svg>';
const ZONES = ["UTC", "America/New_York", "Europe/London", "Asia/Singapore", "Asia/Tokyo"];
const KINDS = { quotes: QuotesPane, book: BookPane, tape: TapePane, health: HealthPane, events: EventsPane };
const LOW = 340; // px: quotes, a depth that can be read, and three trades
const BESIDE = ["quotes", "book", "tape"];

export class BoardView extends ChartView {
  constructor(model, el) {
    super(model, el);
    if (this.closed) return; // ended before it was shown: its picture stands here
    this.root.classList.add("qalypto-board");
    this.panes = {};
    this.news = new Map(); // what is to be shown with the next frame, by pane
    this.panesNumber = 0;
    this.panesMissed = 0;
    this.panesDrawn = 0;
    this.lacking = true; // of panes
    this.build();
    this.paint();
    this.showZone();
    this.ticking = setInterval(() => this.tick(), 250);
  }

  buildZone(bar) {
    this.zones = make("select", "choice", bar);
    this.zones.dataset.choice = "zone";
    this.zones.setAttribute("aria-label", "zone");
    this.zones.title = "Zone in which times are written";
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const name of new Set([...ZONES, here])) this.offerZone(name);
    this.zones.addEventListener("change", () => {
      this.model.set("zone", this.zones.value);
      this.model.save_changes();
    });
  }

  offerZone(name) {
    if ([...this.zones.options].some(({ value }) => value === name)) return;
    this.zones.append(new Option(name.split("/").at(-1).replaceAll("_", " "), name));
  }

  build() {
    const camera = this.button(this.pause.parentElement, "snapshot", "Save a picture of the moment", () => this.link.send("snapshot"), SNAPSHOT);
    this.pause.before(camera);

    const body = make("div", "body");
    this.box.before(body);
    body.append(this.box);
    const beside = make("div", "beside", body);
    const below = make("div", "below", this.root);
    for (const [name, Pane] of Object.entries(KINDS)) {
      const pane = make("section", "pane", BESIDE.includes(name) ? beside : below);
      pane.dataset.pane = name;
      this.panes[name] = new Pane(pane);
    }
    this.root.append(this.trouble);
  }

  onNews(content, buffers) {
    if (content.kind === "snapshot") this.save(content.name, buffers[0]);
    if (content.kind !== "panes") return;
    if (content.whole) this.lacking = false;
    else if (content.number !== this.panesNumber + 1) {
      this.panesMissed += 1;
      this.lacking = true;
      this.link.askAgain();
    }
    this.panesNumber = content.number;
    if (content.series !== this.panesSeries) this.panesOther = true; // of other candles, which are shown also while paused
    this.panesSeries = content.series;
    content.parts.forEach((part, place) => this.news.set(part.name, { ...part, numbers: toNumbers(buffers[place]) }));
    this.drawPanesSoon();
  }

  drawPanesSoon() {
    if (this.panesFrame || (this.model.get("paused") && !this.panesOther)) return;
    this.panesFrame = requestAnimationFrame(() => {
      this.panesFrame = 0;
      if ((this.model.get("paused") && !this.panesOther) || this.closed) return;
      this.panesOther = false;
      for (const [name, part] of this.news) this.panes[name].take(part, this.zone);
      this.news.clear();
      this.panesDrawn += 1;
    });
  }

  /** Ages go on also where the kernel does not say anything any more. */
  tick() {
    if (!this.model.get("paused")) this.panes.quotes.showAges(Math.max(0, this.link.silence() / 1000 - 1.5));
  }

  showZone() {
    super.showZone();
    this.offerZone(this.zone.name);
    this.zones.value = this.zone.name;
    for (const pane of Object.values(this.panes)) pane.show(this.zone);
  }

  /** Where the candles are too low for three panes beside them, these stand below. */
  showHeight() {
    super.showHeight();
    this.root.style.setProperty("--qalypto-height", this.box.style.height);
    this.root.dataset.low = this.model.get("height") < LOW;
  }

  showPaused() {
    super.showPaused();
    if (this.news?.size) this.drawPanesSoon();
  }

  paint() {
    super.paint();
    if (!this.panes) return; // its base paints before there are any
    this.colours = this.model.get("colours")[isDark(this.model.get("theme")) ? "dark" : "light"];
    this.panes.book.paint(this.colours);
  }

  save(name, bytes) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  close() {
    if (this.closed) return;
    clearInterval(this.ticking);
    cancelAnimationFrame(this.panesFrame);
    this.panes?.book.close();
    super.close();
  }
}
