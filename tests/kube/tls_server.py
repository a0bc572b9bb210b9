#!/usr/bin/env python3
"""A TLS server that wants a certificate of the client and answers with its name. Prints its port; ends with its stdin."""
import http.server
import os
import ssl
import sys
import threading

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        subject = dict(pair[0] for pair in self.connection.getpeercert().get("subject", ()))
        body = '{"client":"%s"}' % subject.get("commonName", "")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(FOLDER, "server.crt"), os.path.join(FOLDER, "server.key"))
context.load_verify_locations(os.path.join(FOLDER, "ca.crt"))
context.verify_mode = ssl.CERT_REQUIRED
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
