"""The ledger of disclosures: what a record says, how records are chained, how a chain is checked. No I/O."""
