"""What moves a candidate: nothing but a PROMOTE verdict in the ledger."""
