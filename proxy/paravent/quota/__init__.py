"""Who pays for what, and the arithmetic of windows. Pure: time comes in as a value, usage comes from a store."""
