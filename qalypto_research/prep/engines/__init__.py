"""From frames to exactly what a backtest engine eats."""
