// How the stream does: rates, ages and latencies of each type and exchange, what was lost; and what happened.
import { make } from "./chart_view.js";
import { Pane, Table, toAge, toFixed, write } from "./pane.js";

const WIDTH = 4; // numbers a cell: messages a second, age (s), latency p50 and p95 (ms)
const WRONG = ["dropped", "bad", "missed", "reconnects"];
const CELLS = ["rate", "age", "p50", "p95"];

export class HealthPane extends Pane {
  constructor(box) {
    super(box, "Health");
    this.totals = make("div", "totals", this.body);
    this.figures = {};
    for (const name of ["rate", "kept", ...WRONG, "up"]) {
      const figure = make("span", "figure", this.totals);
      figure.dataset.figure = name;
      this.figures[name] = { label: make("b", "name"), value: make("span", "value") };
      figure.append(this.figures[name].label, this.figures[name].value);
      this.figures[name].label.textContent = name === "rate" ? "messages/s" : name;
    }
    this.holder = make("div", "scroll", this.body);
    this.notes = make("div", "notes", this.body);
  }

  draw({ kinds, exchanges, totals, offset, numbers }) {
    const figures = {
      rate: toFixed(totals.rate, 1),
      kept: `${toFixed(totals.rows, 0)} rows, ${toFixed(totals.buffer_bytes / 1e6, 1)} MB (${toFixed(totals.fill * 100, 0)} %)`,
      up: toAge(totals.uptime).replace(/\.\d/, ""),
    };
    for (const name of WRONG) {
      figures[name] = toFixed(totals[name], 0);
      this.figures[name].value.parentElement.dataset.wrong = totals[name] > 0;
    }
    for (const [name, text] of Object.entries(figures)) write(this.figures[name].value, text);
    this.build(exchanges);
    kinds.forEach((kind, row) => {
      const texts = [kind];
      exchanges.forEach((_, column) => {
        const at = (row * exchanges.length + column) * WIDTH;
        const [rate, age, p50, p95] = numbers.subarray(at, at + WIDTH);
        texts.push(toFixed(rate, 1), toAge(age), toFixed(p50, 0), toFixed(p95, 0));
      });
      this.table.put(row, texts);
    });
    this.table.keep(kinds.length);
    write(this.notes, offset ? "A latency was negative: two clocks disagree, and latencies are off by as much." : "");
    write(this.aside, "rate: messages/s; p50, p95: ms from the exchange's event to the server's sending");
  }

  /** The table has a group of columns for each exchange; there is another one only where these are others. */
  build(exchanges) {
    if (this.table && this.exchanges === exchanges.join()) return;
    this.exchanges = exchanges.join();
    this.holder.replaceChildren();
    this.table = new Table(this.holder, "health", ["", ...exchanges.flatMap(() => CELLS)]);
    const groups = document.createElement("tr");
    groups.append(document.createElement("th"));
    for (const exchange of exchanges) {
      const head = document.createElement("th");
      head.colSpan = CELLS.length;
      head.className = "qalypto-group";
      head.textContent = exchange;
      groups.append(head);
    }
    this.table.table.tHead.prepend(groups);
  }
}

export class EventsPane extends Pane {
  constructor(box) {
    super(box, "Events");
    const scroll = make("div", "scroll", this.body);
    this.table = new Table(scroll, "events", ["", "", ""]);
  }

  draw({ events }) {
    events.forEach((_, place) => {
      const [at, what, detail] = events[events.length - 1 - place];
      const row = this.table.put(place, [this.zone.second(at), what, detail]);
      row.dataset.what = what;
      row.title = detail;
    });
    this.table.keep(events.length);
    write(this.why, events.length === 0 ? "nothing has happened yet" : "");
  }
}
