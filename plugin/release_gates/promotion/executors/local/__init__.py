"""The executor ``local``: processes on this host, two slots behind haproxy, one of which is live."""
