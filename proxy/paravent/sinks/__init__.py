"""Where records go: the files of the ledger, and their verification."""
