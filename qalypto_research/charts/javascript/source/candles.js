// Candles with volume in a box of their own, by lightweight-charts. It knows rows and colours, and nothing of kernels.
import { CandlestickSeries, CrosshairMode, HistogramSeries, LineStyle, createChartEx } from "lightweight-charts";

import { withAlpha } from "./theme.js";
import { ZonedAxis } from "./zone.js";

export const WIDTH = 7; // numbers a row: time (s), open, high, low, close, volume, state
const MISSING = 0;
const FORMING = 1;
const CLOSED = 2;
const PALE = 0.5; // of a candle that is not over
const ROOM_AT_RIGHT = 6;
const QUIET = { lastValueVisible: false, priceLineVisible: false };
const FULL_HEIGHT = { autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 1 } }) };

/** Whether a row is drawn as a candle. Others are missing, or have prices that no market can have. */
export function isShown({ state }) {
  return state === FORMING || state === CLOSED;
}

export function isImpossible({ state }) {
  return state > CLOSED;
}

function hasValue(part) {
  return "value" in part || "close" in part;
}

export function toRows(numbers) {
  const rows = [];
  for (let i = 0; i + WIDTH <= numbers.length; i += WIDTH) {
    const [time, open, high, low, close, volume, state] = numbers.subarray(i, i + WIDTH);
    rows.push({ time, open, high, low, close, volume, state });
  }
  return rows;
}

export class Candles {
  constructor(box, zone) {
    this.zone = zone;
    this.daily = false;
    this.rows = new Map(); // by time; whatever came last
    this.times = []; // ascending
    this.impossible = 0; // how many of them have prices that no market can have
    this.looking = null; // where the chart will look with its next frame
    this.most = Infinity; // candles that are held, the newest; of some more the oldest are let go of, as the kernel does
    const axis = new ZonedAxis((time) => (this.daily ? time : this.zone.local(time)));
    this.chart = createChartEx(box, axis, {
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { scaleMargins: { top: 0.12, bottom: 0.26 }, borderVisible: false },
      timeScale: { timeVisible: true, secondsVisible: false, rightOffset: ROOM_AT_RIGHT, barSpacing: 7, borderVisible: false, minBarSpacing: 0.2 },
    });
    this.shades = this.chart.addSeries(HistogramSeries, { priceScaleId: "shades", ...QUIET, ...FULL_HEIGHT });
    this.shades.priceScale().applyOptions({ scaleMargins: { top: 0, bottom: 0 } });
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, ...QUIET });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.series = this.chart.addSeries(CandlestickSeries, { priceLineStyle: LineStyle.Dashed, priceLineWidth: 1 });
  }

  /** Look at the newest, with the spacing of the beginning. */
  showNewest() {
    this.lookAt(ROOM_AT_RIGHT, (scale) => scale.resetTimeScale());
  }

  /** Look so many bars from the newest: below zero, at older ones. */
  scrollTo(position) {
    this.lookAt(position, (scale) => scale.scrollToPosition(position, false));
  }

  /** The chart moves with its next frame, and says until then where it was: what happens meanwhile goes by where it will be. */
  lookAt(position, move) {
    const scale = this.chart.timeScale();
    const looking = { position, move };
    this.looking = looking;
    const begin = () => {
      move(scale);
      requestAnimationFrame(() => {
        if (this.looking === looking) this.looking = null;
      });
    };
    if (scale.width() > 0) {
      begin();
      return;
    }
    const laidOut = (width) => {
      if (width === 0) return; // no spacing holds before the page has given the chart a width
      scale.unsubscribeSizeChange(laidOut);
      if (this.looking === looking) begin();
    };
    scale.subscribeSizeChange(laidOut);
  }

  /** Bars from the newest to the right end of what is in view. */
  get position() {
    return this.looking ? this.looking.position : this.chart.timeScale().scrollPosition();
  }

  /** Draw in these colours from now on. */
  paint(colours) {
    const changed = this.colours && (this.colours.up !== colours.up || this.colours.down !== colours.down);
    this.colours = colours;
    const line = { color: colours.muted, labelBackgroundColor: colours.frame };
    this.chart.applyOptions({
      layout: {
        background: { color: colours.background },
        textColor: colours.muted,
        fontFamily: getComputedStyle(document.body).getPropertyValue("--jp-ui-font-family") || "system-ui, sans-serif",
        fontSize: 11,
        attributionLogo: true,
      },
      grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
      crosshair: { vertLine: line, horzLine: line },
      localization: { timeFormatter: (time) => this.zone.moment(time, this.daily) },
      timeScale: { tickMarkFormatter: (time, mark) => this.zone.axis(time, mark, this.daily) },
    });
    this.series.applyOptions({
      upColor: colours.background, // hollow, so that up and down differ in shape, too
      downColor: colours.down,
      borderUpColor: colours.up,
      borderDownColor: colours.down,
      wickUpColor: colours.up,
      wickDownColor: colours.down,
    });
    if (changed) this.reload([...this.rows.values()]);
  }

  /** Show other candles, the newest of them. */
  open(rows, { precision, daily, most }) {
    this.daily = daily;
    this.most = most;
    this.quote(precision);
    this.chart.priceScale("right").applyOptions({ autoScale: true });
    this.clear();
    this.setRows(rows);
    this.showNewest();
  }

  /** Write prices with so many decimals. */
  quote(precision) {
    this.precision = precision;
    const digits = { minimumFractionDigits: precision, maximumFractionDigits: precision };
    const { format } = new Intl.NumberFormat("en-US", digits);
    this.price = format;
    this.series.applyOptions({ priceFormat: { type: "custom", minMove: 10 ** -precision, formatter: format } });
  }

  /** Show the same candles afresh, where the user has them in view. */
  reload(rows, { precision } = this) {
    if (precision !== this.precision) this.quote(precision);
    // In bars from the newest: the page may be between two layouts, where a range in view would be of another width.
    const { position, times: before } = this;
    this.setRows(rows);
    if (position >= 0 || before.length === 0) return; // the newest is in view, and stays there
    const at = Math.max(0, before.length - 1 + Math.floor(position));
    const found = this.times.indexOf(before[at]);
    if (found < 0) return;
    const added = this.times.length - found - (before.length - at);
    this.scrollTo(position - added);
  }

  /** Write times in another zone. */
  setZone(zone) {
    this.zone = zone;
    if (this.times.length === 0) return;
    const { looking, position } = this;
    const rows = this.times.map((time) => this.rows.get(time));
    this.clear();
    this.setRows(rows);
    if (looking) this.lookAt(position, looking.move);
    else this.scrollTo(position);
  }

  /** Forget all marks of the axis: those of times that stay would not be found anew. */
  clear() {
    for (const series of [this.series, this.volume, this.shades]) series.setData([]);
  }

  setRows(rows) {
    this.rows = new Map(rows.map((row) => [row.time, row]));
    this.times = rows.map((row) => row.time);
    this.impossible = rows.filter(isImpossible).length;
    this.series.setData(rows.map((row) => this.toCandle(row)));
    this.volume.setData(rows.map((row) => this.toVolume(row)));
    this.shades.setData(rows.map((row) => this.toShade(row)));
    this.markLast();
  }

  /** Give the last price the colour of its candle: of a hollow one it would be the background's. */
  markLast() {
    const { newest, colours } = this;
    const priceLineColor = newest && newest.close < newest.open ? colours.down : colours.up;
    if (this.series.options().priceLineColor !== priceLineColor) this.series.applyOptions({ priceLineColor });
  }

  /** Take rows, each newer than what there is or another state of it; all are laid anew for older ones that were not there, or too many. */
  apply(rows) {
    let anew = false;
    for (const row of rows) {
      const last = this.times.at(-1) ?? -Infinity;
      const before = this.rows.get(row.time);
      const known = before !== undefined;
      this.impossible += isImpossible(row) - (known && isImpossible(before));
      this.rows.set(row.time, row);
      if (row.time < last && !known) {
        anew = true;
      } else if (!anew) {
        if (!known) this.times.push(row.time);
        anew = !this.update(row, row.time < last ? before : null);
      }
    }
    if (anew || this.times.length > 1.125 * this.most) {
      this.reload([...this.rows.values()].sort((a, b) => a.time - b.time).slice(-this.most));
    } else this.markLast();
  }

  /** Draw a row, in the place of an older one where one is given; tell whether that could be done without laying all anew. */
  update(row, older) {
    const parts = this.toParts(row);
    // Of an older time without a value lightweight-charts overwrites, or takes away, what lies at the next one that has a value.
    const before = older && this.toParts(older);
    if (before?.some((part, n) => hasValue(part) !== hasValue(parts[n]))) return false;
    [this.series, this.volume, this.shades].forEach((series, n) => {
      if (!older) series.update(parts[n]);
      else if (hasValue(parts[n])) series.update(parts[n], true);
    });
    return true;
  }

  toParts(row) {
    return [this.toCandle(row), this.toVolume(row), this.toShade(row)];
  }

  toCandle(row) {
    const { time, open, high, low, close, state } = row;
    if (!isShown(row)) return { time };
    const candle = { time, open, high, low, close };
    if (state !== FORMING) return candle;
    const pale = withAlpha(close >= open ? this.colours.up : this.colours.down, PALE);
    return { ...candle, color: close >= open ? this.colours.background : pale, borderColor: pale, wickColor: pale };
  }

  toVolume(row) {
    const { time, open, close, volume, state } = row;
    if (!isShown(row) || Number.isNaN(volume)) return { time };
    return { time, value: volume, color: withAlpha(close >= open ? this.colours.up : this.colours.down, state === FORMING ? 0.2 : 0.4) };
  }

  /** What is behind a candle: one that is missing is shaded, one that cannot be, and one that is not over. */
  toShade(row) {
    const { time, state } = row;
    if (state === CLOSED) return { time };
    const { hole, forming, impossible } = this.colours;
    return { time, value: 1, color: isImpossible(row) ? withAlpha(impossible, 0.35) : state === MISSING ? hole : forming };
  }

  get newest() {
    for (let i = this.times.length - 1; i >= 0; i -= 1) {
      const row = this.rows.get(this.times[i]);
      if (isShown(row)) return row;
    }
    return null;
  }

  close() {
    this.chart.remove();
  }
}
