"""What a bar is: the rule of each kind, how trades become bars and bars larger bars. ClickHouse and NumPy both follow it."""
