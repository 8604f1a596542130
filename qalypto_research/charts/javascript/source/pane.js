// What all panes of the dashboard have in common: a heading, a body, and words in its place where it cannot be shown.
import { make } from "./chart_view.js";

export class Pane {
  constructor(box, title) {
    this.head = make("h4", "head", box);
    this.title = make("span", "title", this.head);
    this.title.textContent = title;
    this.aside = make("span", "aside", this.head);
    this.body = make("div", "content", box);
    this.why = make("div", "why", box);
    this.why.textContent = "waiting for the first";
    this.body.hidden = true;
  }

  take(part, zone) {
    this.part = part;
    this.body.hidden = Boolean(part.why);
    write(this.why, part.why ?? "");
    if (part.why) write(this.aside, "");
    this.show(zone);
  }

  show(zone) {
    this.zone = zone;
    if (this.part && !this.part.why) this.draw(this.part);
  }
}

/** Write a text where it is another than before: what stays as it is costs the page nothing. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const formats = new Map();

export function toFixed(value, digits) {
  if (!Number.isFinite(value)) return "–";
  if (!formats.has(digits)) {
    formats.set(digits, new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).format);
  }
  return formats.get(digits)(value);
}

const UNITS = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
const inThree = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3, useGrouping: false }).format;

/** A size in three digits, as the pictures write it (`amount_text`): 0.00042, 0.021, 13.5, 1.25k, 2.5M. */
export function toSize(value) {
  if (!Number.isFinite(value)) return "–";
  const rounded = Number(value.toPrecision(3));
  if (rounded > 0 && rounded < 1e-8) return rounded.toExponential();
  const [unit, suffix] = UNITS.find(([least]) => rounded >= least) ?? [1, ""];
  return inThree(rounded / unit) + suffix;
}

/** An age: tenths of a second where they tell something. */
export function toAge(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const age = Math.max(0, seconds);
  if (age < 60) return `${age.toFixed(1)} s`;
  return age < 3600 ? `${Math.floor(age / 60)} min` : `${Math.floor(age / 3600)} h`;
}

/** A table that keeps its cells: rows of texts are written into them. */
export class Table {
  constructor(parent, name, columns) {
    this.table = make("table", name, parent);
    this.columns = columns;
    if (columns.some((column) => column)) {
      const row = this.table.createTHead().insertRow();
      for (const column of columns) {
        const head = document.createElement("th");
        head.textContent = column;
        row.append(head);
      }
    }
    this.body = this.table.createTBody();
  }

  row(place) {
    while (this.body.rows.length <= place) {
      const row = this.body.insertRow();
      for (let i = 0; i < this.columns.length; i += 1) row.insertCell();
    }
    return this.body.rows[place];
  }

  put(place, texts) {
    const row = this.row(place);
    texts.forEach((text, i) => write(row.cells[i], text));
    return row;
  }

  keep(count) {
    while (this.body.rows.length > count) this.body.deleteRow(-1);
  }
}
