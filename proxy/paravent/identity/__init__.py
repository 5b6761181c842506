"""Who asks: token, strength and freshness of the login, and the key it is bound to."""
