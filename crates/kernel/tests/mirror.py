"""Serves a folder over HTTPS on 127.0.0.1: mirror.py CERTIFICATE KEY FOLDER LOG

Prints its port, and ends when its standard input does. The first part of a
path says how the rest of it is served; each request becomes a line of the log.
"""

import http.server
import os
import ssl
import sys
import threading

CERTIFICATE, KEY, FOLDER, LOG = sys.argv[1:]
HUGE = 100 << 20


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cut = set()

    def do_GET(self):
        how, _, path = self.path.lstrip("/").partition("/")
        wanted = self.headers.get("Range", "")
        with open(LOG, "a") as log:
            log.write(f"{how} {path} {wanted}".rstrip() + "\n")
        if how == "moved":
            self.redirect("/good/" + path)
        elif how == "to-http":
            self.redirect("http://127.0.0.1:1/" + path)
        elif how in ("huge", "endless"):
            self.huge(how == "huge")
        else:
            self.file(how, path, wanted)

    def redirect(self, where):
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def huge(self, honest):
        self.send_response(200)
        if honest:
            self.send_header("Content-Length", str(HUGE))
        self.close_connection = True
        self.end_headers()
        try:
            for _ in range(HUGE >> 16):
                self.wfile.write(b"0" * (1 << 16))
        except OSError:
            pass

    def file(self, how, path, wanted):
        try:
            with open(os.path.join(FOLDER, path), "rb") as file:
                body = file.read()
        except OSError:
            self.send_error(404)
            return
        whole = len(body)
        start = 0
        if wanted.startswith("bytes=") and how != "cut-and-whole":
            start = int(wanted[len("bytes="):].rstrip("-"))
        if start >= whole > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{whole}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.send_header("Content-Length", str(whole - start))
        self.end_headers()
        end = whole
        if path.endswith(".tar.xz"):
            # "dead" never gets past the middle, "cut" does when asked again.
            if how == "dead" or (how.startswith("cut") and self.path not in self.cut):
                end = whole // 2
            self.cut.add(self.path)
        self.wfile.write(body[start:end])
        if end < whole:
            self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
