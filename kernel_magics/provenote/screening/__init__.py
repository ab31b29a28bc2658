"""Put versions of data before the poison screens: by source; and what a run owes to each source."""
