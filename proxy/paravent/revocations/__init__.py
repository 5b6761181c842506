"""What is revoked: read from a file and from the state store beside the requests, held in memory for them."""
