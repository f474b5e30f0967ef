"""The HTTP API: REST, server-sent events, and the built web page; never the code of steps or a worker."""
