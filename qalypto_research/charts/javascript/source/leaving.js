// What stays of a widget that the kernel has ended, in the notebook itself: in each output that shows it, a picture. A kernel can replace
// outputs only in a page that saw them come; one that was loaded again no longer knows which was displayed under which id.

const VIEW = "application/vnd.jupyter.widget-view+json";

export function leave(model) {
  const { id, data, metadata } = model.get("left");
  // JupyterLab's notebook; elsewhere there is none to be had.
  const cells = data && model.widget_manager?.context?.model?.cells;
  for (const { outputs } of cells ?? []) {
    for (let place = 0; place < (outputs?.length ?? 0); place += 1) {
      if (outputs.get(place).data?.[VIEW]?.model_id === id) outputs.set(place, { output_type: "display_data", data, metadata });
    }
  }
}
