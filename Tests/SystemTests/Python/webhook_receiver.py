"""A receiver of webhooks that does what a file says: answers with a status, or never.

webhook_receiver.py PORT SECRET MODE-FILE LOG-FILE

Each request is a line of the log: the id, the mode, and whether the signature is right. In the mode 204 an id that was
taken before is not taken again.
"""
import base64, hashlib, hmac, http.server, json, sys, time

port, secret, mode_file, log_file = sys.argv[1:]
key = base64.b64decode(secret.removeprefix("whsec_"))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        id, sent = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        code = hmac.new(key, f"{id}.{sent}.".encode() + body, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(code).decode()
        right = wanted in self.headers["webhook-signature"].split(" ") and abs(int(sent) - time.time()) < 60
        event = json.loads(body)
        mode = open(mode_file).read().strip()
        with open(log_file, "a") as log:
            log.write(f"{id} {mode} {'right' if right else 'wrong'} {event['type']} {event['id']}\n")
        if mode == "hang":
            time.sleep(600)
        self.send_response(int(mode))
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver).serve_forever()
