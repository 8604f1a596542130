// What anywidget loads: it renders the widget that the kernel's model says it is.
import "./style.css";
import "./board.css";
import { BoardView } from "./board_view.js";
import { ChartView } from "./chart_view.js";
import { leave } from "./leaving.js";

const VIEWS = { chart: ChartView, dashboard: BoardView };

export default {
  initialize({ model }) {
    model.on("change:left", () => leave(model));
    leave(model); // ended while no page was there
  },
  render({ model, el }) {
    const view = new VIEWS[model.get("kind")](model, el);
    return () => view.close();
  },
};
