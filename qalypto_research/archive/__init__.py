"""Archives: folders of Parquet in the service's columns; where files stand, what they must hold, when a row is visible."""
