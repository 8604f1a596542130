"""Research on Qalypto market data from Jupyter and pandas."""
