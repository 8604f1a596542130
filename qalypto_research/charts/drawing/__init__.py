"""How a description is drawn on matplotlib's Axes. Figures are made without pyplot, so that nothing is left open."""
