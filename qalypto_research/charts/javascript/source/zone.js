// Times as they are written in the display zone. The chart counts in UTC; only what it writes, and where its days begin, is in the zone,
// so that the hour which a change of clocks repeats stays two hours. Candles of whole days are days of UTC in every zone: they keep its dates.
import { TickMarkType, defaultHorzScaleBehavior } from "lightweight-charts";

const FIELDS = ["year", "month", "day", "hour", "minute", "second"];

export class Zone {
  constructor(name) {
    this.name = name;
    this.trouble = "";
    try {
      this.build(name);
    } catch {
      this.trouble = `This browser does not know the zone ${name}; times are written in UTC.`;
      this.build("UTC");
    }
  }

  build(name) {
    const format = (options, timeZone = name) => new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...options });
    const numeric = Object.fromEntries(FIELDS.map((field) => [field, "numeric"]));
    this.parts = format({ ...numeric, calendar: "gregory", numberingSystem: "latn" });
    this.clock = format({ hour: "2-digit", minute: "2-digit" });
    this.seconds = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
    this.date = format({ day: "numeric", month: "short" });
    const day = { weekday: "short", day: "numeric", month: "short", year: "numeric" };
    this.full = format(day);
    this.utcDate = format({ day: "numeric", month: "short" }, "UTC");
    this.utcMonth = format({ year: "numeric", month: "short" }, "UTC");
    this.utcYear = format({ year: "numeric" }, "UTC");
    this.utcFull = format(day, "UTC");
    this.isUtc = this.parts.resolvedOptions().timeZone === "UTC";
  }

  /** What a clock of the zone shows at a time, as if it were one of UTC, in seconds. */
  local(time) {
    if (this.isUtc) return time;
    const shown = Object.fromEntries(this.parts.formatToParts(time * 1000).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(shown.year, shown.month - 1, shown.day, shown.hour, shown.minute, shown.second) / 1000;
  }

  /** The label of a mark on the axis: a clock time, or a date where another day begins. */
  axis(time, mark, daily) {
    const at = time * 1000;
    if (!daily) return (mark < TickMarkType.Time ? this.date : this.clock).format(at);
    if (mark === TickMarkType.Year) return this.utcYear.format(at);
    return (mark === TickMarkType.Month ? this.utcMonth : this.utcDate).format(at);
  }

  moment(time, daily) {
    const at = time * 1000;
    if (daily) return this.isUtc ? this.utcFull.format(at) : `${this.utcFull.format(at)}, UTC`;
    return `${this.full.format(at)}  ${this.clock.format(at)}`;
  }

  second(time) {
    return this.seconds.format(time * 1000);
  }
}

/** The axis: its marks are the whole hours and days of the clock that `local` shows at a time. */
export class ZonedAxis extends defaultHorzScaleBehavior() {
  constructor(local) {
    super();
    this.local = local;
  }

  fillWeightsForPoints(points, start) {
    const from = Math.max(0, start - 1); // the one before tells whether a day begins
    const shown = points.slice(from).map(({ time }) => ({ time: this.convertHorzItemToInternal(this.local(this.key(time))), timeWeight: 0 }));
    super.fillWeightsForPoints(shown, start - from);
    for (let i = start; i < points.length; i += 1) points[i].timeWeight = shown[i - from].timeWeight;
  }
}
