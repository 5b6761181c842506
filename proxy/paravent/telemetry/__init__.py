"""What the operator sees: metrics, health, logs. Never a NIR, a token, a contract number, a URL or exception text."""
