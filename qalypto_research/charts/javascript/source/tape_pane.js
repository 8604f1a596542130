// The trades, the newest on top. Who took the offer is told by a triangle and a sign, and by colour.
import { Pane, Table, toFixed, toSize, write } from "./pane.js";

const WIDTH = 5; // numbers a row: time (s), side, price, size, liquidation

export class TapePane extends Pane {
  constructor(box) {
    super(box, "Trades");
    this.table = new Table(this.body, "tape", ["time", "", "price", "size"]);
  }

  draw({ exchange, numbers, precision }) {
    write(this.aside, exchange);
    const count = numbers.length / WIDTH;
    for (let place = 0; place < count; place += 1) {
      const at = (count - 1 - place) * WIDTH;
      const [time, side, price, size, liquidation] = numbers.subarray(at, at + WIDTH);
      const mark = side > 0 ? "▲ buy" : side < 0 ? "▼ sell" : "";
      const texts = [this.zone.second(time), liquidation ? `${mark} liq`.trim() : mark, toFixed(price, precision), toSize(size)];
      this.table.put(place, texts).dataset.side = side > 0 ? "buy" : side < 0 ? "sell" : "";
    }
    this.table.keep(count);
    write(this.why, count === 0 ? "no trades yet" : "");
  }
}
