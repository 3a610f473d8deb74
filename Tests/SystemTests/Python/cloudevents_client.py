"""Reports the same usage with the CloudEvents SDK in each mode, old API and new: it must count once.

    cloudevents_client.py URL TOKEN HOUR
"""

import datetime
import gzip
import json
import sys

import requests
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.http import CloudEvent as OldEvent
from cloudevents.v1.http import to_binary as to_old_binary
from cloudevents.v1.http import to_structured as to_old_structured

url, token, hour = sys.argv[1:]
start = datetime.datetime.fromisoformat(hour.replace("Z", "+00:00"))
end = start + datetime.timedelta(hours=1)
session = requests.Session()
session.headers["Authorization"] = f"Bearer {token}"

# What must be escaped in headers.
ID = 'é "quoted" 100% 1'
DATA = {
    "meter": "agent-cpu-core-seconds",
    "quantity": "0.000186920166015625",
    "resourceUri": "/subscriptions/sub-1/vm",
    "tags": {"owner": "té"},
    "startTime": start.isoformat(),
    "endTime": end.isoformat(),
}
ATTRIBUTES = {
    "type": "stackmeter.usage.v1",
    "source": "sdk",
    "subject": "/subscriptions/sub-1",
}


def post(headers, body, **more):
    answer = session.post(f"{url}/v1/events", headers={**headers, **more}, data=body, timeout=20)
    print(answer.status_code, answer.text)
    return answer


def event(identity=ID, content_type="application/json"):
    attributes = {"id": identity, "specversion": "1.0", **ATTRIBUTES}
    if content_type:
        attributes["datacontenttype"] = content_type
    return CloudEvent(attributes=attributes, data=DATA)


def expect(answer, accepted, duplicates):
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert (said["accepted"], said["duplicates"]) == (accepted, duplicates), said
    assert said["rejected"] == [], said


message = to_structured_event(event())
expect(post(message.headers, message.body), 1, 0)
message = to_structured_event(event(content_type=None))
expect(post(message.headers, message.body), 0, 1)
for content_type in ["application/json", None]:
    message = to_binary_event(event(content_type=content_type))
    print(message.headers)
    expect(post(message.headers, message.body), 0, 1)

# The old API escapes nothing in headers, and leaves the content type out.
headers, body = to_old_structured(OldEvent({"id": ID, **ATTRIBUTES}, DATA))
expect(post(headers, body), 0, 1)
headers, body = to_old_structured(OldEvent({"id": ID, **ATTRIBUTES}, json.dumps(DATA).encode()))
expect(post(headers, body), 0, 1)
headers, body = to_old_binary(OldEvent({"id": "plain", **ATTRIBUTES}, DATA))
expect(post(headers, body), 1, 0)
expect(post(headers, body), 0, 1)

events = [JSONFormat().write(event(f"b{index}")) for index in range(1000)]
events = [e if isinstance(e, bytes) else e.encode() for e in events]
batched = {"Content-Type": "application/cloudevents-batch+json"}
expect(post(batched, b"[" + b",".join(events) + b"]"), 1000, 0)
expect(post(batched, b"[" + b",".join(events) + b"]"), 0, 1000)

# A generator is sent in chunks, as long as it gives lines.
lines = {"Content-Type": "application/x-ndjson"}
expect(post(lines, (line + b"\n" for line in events * 3)), 0, 3000)
expect(post(lines, gzip.compress(b"\n".join(events)), **{"Content-Encoding": "gzip"}), 0, 1000)
answer = post(lines, b"\n".join(events), Prefer="return=minimal")
assert answer.status_code == 204 and answer.content == b"", answer.text

message = to_binary_event(event())
answer = post({**message.headers, "content-type": "application/xml"}, message.body)
assert answer.status_code == 415, answer.text
print("cloudevents ok")
