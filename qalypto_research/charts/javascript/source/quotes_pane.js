// Bid, ask, spread, last price and age of each exchange. An age beyond the bound is red and in bold, and its row is pale.
import { Pane, Table, toAge, toFixed, write } from "./pane.js";

const WIDTH = 7; // numbers a row: bid, ask, spread (bps), last, age (s), whether the bid and the ask are the best of all
const AGE_AT = 4;
const AGE = 5; // the cell

export class QuotesPane extends Pane {
  constructor(box) {
    super(box, "Quotes");
    this.table = new Table(this.body, "quotes", ["", "bid", "ask", "bps", "last", "age"]);
    this.ages = [];
  }

  draw({ symbol, exchanges, numbers, precision, stale }) {
    write(this.aside, symbol);
    this.stale = stale;
    this.ages = exchanges.map((_, place) => numbers[place * WIDTH + AGE_AT]);
    exchanges.forEach((_, place) => {
      const [bid, ask, bps, last, , bestBid, bestAsk] = numbers.subarray(place * WIDTH, (place + 1) * WIDTH);
      const texts = [exchanges[place], toFixed(bid, precision), toFixed(ask, precision), toFixed(bps, 2), toFixed(last, precision)];
      const row = this.table.put(place, texts);
      row.dataset.exchange = exchanges[place];
      row.cells[1].dataset.best = bestBid === 1;
      row.cells[2].dataset.best = bestAsk === 1;
    });
    this.table.keep(exchanges.length);
    this.showAges(0);
  }

  showAges(more) {
    this.ages.forEach((age, place) => {
      const row = this.table.row(place);
      write(row.cells[AGE], toAge(age + more));
      row.dataset.stale = age + more > this.stale;
      row.title = age + more > this.stale ? `no quote for more than ${this.stale} s` : "";
    });
  }
}
