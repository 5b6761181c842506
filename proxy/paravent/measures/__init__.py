"""What was decided about practitioners: read from the state store beside the requests, held in memory for them."""
