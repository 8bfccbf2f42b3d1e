"""Over HTTP/1.1, with as little between the socket and the answer as is possible in Python."""
