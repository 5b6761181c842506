"""Verification keys of issuers: fetching key sets, and keeping the last good one of each in memory."""
