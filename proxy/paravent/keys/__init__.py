"""Verification keys of issuers: reading key sets, and keeping the last good one of each in memory."""
