"""The stand-in for the service's history: ClickHouse's HTTP interface over any archive and any clock, answered by the embedded engine."""
