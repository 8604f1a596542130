// The cumulative depth of the newest whole book: bids to the left of the middle, asks to the right, as far as the shorter side reaches.
import { make } from "./chart_view.js";
import { Pane, toFixed, toSize, write } from "./pane.js";
import { withAlpha } from "./theme.js";

const FOOT = 16;
const TOP = 14;
const RIGHT = 4;

export class BookPane extends Pane {
  constructor(box) {
    super(box, "Depth");
    this.canvas = make("canvas", "depth", this.body);
    this.canvas.title = "What is bid and offered up to each price, added up from the middle";
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(this.body);
  }

  paint(colours) {
    this.colours = colours;
    this.redraw();
  }

  redraw() {
    if (this.part && !this.part.why) this.draw(this.part);
  }

  draw(part) {
    const { exchange, at, bids: count, numbers, precision, base } = part;
    write(this.aside, at === null ? exchange : `${exchange}  ${this.zone.second(at)}`);
    this.body.hidden = numbers.length === 0;
    write(this.why, numbers.length === 0 ? "no whole book yet" : "");
    if (numbers.length === 0 || !this.colours) return;
    const bids = cumulated(numbers.subarray(0, 2 * count));
    const asks = cumulated(numbers.subarray(2 * count));
    const pen = this.pen();
    if (!pen) return;
    const { width, height } = pen;
    const bestBid = bids[0]?.price ?? asks[0].price;
    const bestAsk = asks[0]?.price ?? bids[0].price;
    const middle = (bestBid + bestAsk) / 2;
    const reaches = [bids, asks].filter((side) => side.length).map((side) => Math.abs(side.at(-1).price - middle));
    const reach = Math.min(...reaches) || middle * 1e-4;
    const most = Math.max(...[bids, asks].flat().filter(({ price }) => Math.abs(price - middle) <= reach).map(({ size }) => size)) || 1;
    const x = (price) => ((price - middle) / reach / 2 + 0.5) * (width - RIGHT) + RIGHT / 2;
    const y = (size) => height - FOOT - (size / most) * (height - FOOT - TOP);
    this.grid(pen, { most, middle, reach, x, y, precision, base });
    this.side(pen, bids, x(middle - reach), this.colours.up, x, y);
    this.side(pen, asks, x(middle + reach), this.colours.down, x, y);
  }

  /** The canvas in device's pixels, cleared; nothing where the page has not laid it out. */
  pen() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width < 40 || height < 40) return null;
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) [this.canvas.width, this.canvas.height] = [wide, high];
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = `10px ${getComputedStyle(this.body).fontFamily}`;
    return { context, width, height };
  }

  grid({ context, width, height }, { most, middle, reach, x, y, precision, base }) {
    context.strokeStyle = this.colours.grid;
    context.lineWidth = 1;
    context.beginPath();
    for (const line of [Math.round(y(most)) + 0.5, Math.round(y(most / 2)) + 0.5, height - FOOT + 0.5]) {
      context.moveTo(0, line);
      context.lineTo(width, line);
    }
    context.moveTo(Math.round(x(middle)) + 0.5, TOP);
    context.lineTo(Math.round(x(middle)) + 0.5, height - FOOT);
    context.stroke();
    context.fillStyle = this.colours.muted;
    context.textBaseline = "alphabetic";
    const prices = [
      ["left", 0, middle - reach],
      ["center", x(middle), middle],
      ["right", width, middle + reach],
    ];
    for (const [align, place, price] of prices) {
      context.textAlign = align;
      context.fillText(toFixed(price, precision), place, height - 4);
    }
    context.textAlign = "center"; // over the middle, where depth is least
    context.fillText(`${toSize(most)} ${base}`, x(middle), y(most) - 4);
  }

  side({ context, height }, levels, end, colour, x, y) {
    if (levels.length === 0) return;
    context.beginPath();
    context.moveTo(x(levels[0].price), height - FOOT);
    let at = y(0);
    for (const { price, size } of levels) {
      const place = x(price);
      if ((place - end) * Math.sign(x(levels[0].price) - end || 1) < 0) break;
      context.lineTo(place, at);
      at = y(size);
      context.lineTo(place, at);
    }
    context.lineTo(end, at);
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.stroke();
    context.lineTo(end, height - FOOT);
    context.closePath();
    context.fillStyle = withAlpha(colour, 0.16);
    context.fill();
  }

  close() {
    this.observer.disconnect();
  }
}

function cumulated(numbers) {
  const levels = [];
  let size = 0;
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    size += numbers[i + 1];
    levels.push({ price: numbers[i], size });
  }
  return levels;
}
