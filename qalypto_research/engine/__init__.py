"""ClickHouse, embedded: the one place that imports clickhouse-connect, the map of its errors, Arrow into frames."""
