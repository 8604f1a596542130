"""The one schema: tables, columns, vocabularies and what the documentation leaves open.

DDL, SELECT lists, decoding, empty frames, archive checks and the tables in the documentation all come from here.
"""

from qalypto_research.schema.assumptions import ASSUMPTIONS, Assumption
from qalypto_research.schema.tables import KLINE, ORDERBOOK, TABLES, TICKER, TRADE, Column, Table
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVAL_MS, INTERVALS, SIDES, SYMBOLS

__all__ = [
    "ASSUMPTIONS",
    "EXCHANGES",
    "INTERVALS",
    "INTERVAL_MS",
    "KLINE",
    "ORDERBOOK",
    "SIDES",
    "SYMBOLS",
    "TABLES",
    "TICKER",
    "TRADE",
    "Assumption",
    "Column",
    "Table",
]
