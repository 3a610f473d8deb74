"""Calls the services' methods through the gateway with the Connect client, in both of its codecs.

    connect_client.py ROOT URL OPERATOR_TOKEN TENANT_TOKEN HOUR DIRECTORY
"""

import sys
import urllib.request

import grpc_tools
from grpc_tools import protoc

root, url, operator, tenant, hour, directory = sys.argv[1:]
stubs = f"{directory}/connect-stubs"
import os

os.makedirs(stubs, exist_ok=True)
assert (
    protoc.main(
        ["protoc", f"-I{root}/proto", f"--python_out={stubs}"]
        + [f"stackmeter/v1/{name}.proto" for name in ["common", "collector", "aggregator", "query"]]
    )
    == 0
)
sys.path.insert(0, stubs)

from connectrpc.client import ConnectClientSync
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from google.protobuf import json_format
from stackmeter.v1 import collector_pb2, query_pb2

HOUR = 3_600_000_000_000
start = int(hour) * HOUR


def method(service, name, request, response):
    return MethodInfo(
        name=name,
        service_name=f"stackmeter.v1.{service}",
        input=request,
        output=response,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.UNARY,
    )


REPORT = method("Collector", "Report", collector_pb2.ReportRequest, collector_pb2.ReportResponse)
USAGE = method("Query", "ListUsage", query_pb2.ListUsageRequest, query_pb2.ListUsageResponse)
METERS = method("Query", "ListMeters", query_pb2.ListMetersRequest, query_pb2.ListMetersResponse)
JOURNAL = method(
    "Collector", "ReadJournal", collector_pb2.ReadJournalRequest, collector_pb2.JournalChunk
)


def call(codec, token, info, request, timeout_ms=10_000):
    # It sends gzip, as it does where nobody says otherwise.
    with ConnectClientSync(url, codec=codec, timeout_ms=timeout_ms) as client:
        return client.execute_unary(
            request=request, method=info, headers={"authorization": f"Bearer {token}"}
        )


def refused(code, *arguments, **more):
    try:
        call(*arguments, **more)
    except ConnectError as error:
        assert error.code == code, (error.code, error.message)
        assert error.message, error
        return error
    raise AssertionError(f"{code} was expected")


event = collector_pb2.UsageEvent(
    id="é-1", source="connect", usage_start=start, usage_end=start + HOUR
)
event.series.subscription = "sub-1"
event.series.meter = "agent-cpu-core-seconds"
event.series.resource_uri = "/subscriptions/sub-1/vm"
event.series.tags["owner"] = "té"
event.series.tags["env"] = 'a"b'
event.quantity.units = 12
event.quantity.attos = 500_000_000_000_000_001

outcomes = []
for codec in [google_protobuf_json_codec(), google_protobuf_binary_codec()]:
    response = call(codec, operator, REPORT, collector_pb2.ReportRequest(events=[event]))
    outcomes.append(collector_pb2.Outcome.Name(response.results[0].outcome))
    assert response.results[0].position > 0

    meters = call(codec, operator, METERS, query_pb2.ListMetersRequest())
    assert len(meters.meters) > 1 and meters.meters[0].name

    # A tenant that says it is an operator is told its own.
    question = query_pb2.ListUsageRequest(
        from_window=int(hour) - 1, to_window=int(hour) + 3, granularity="GRANULARITY_HOURLY"
    )
    question.caller.role = 1
    for _ in range(200):
        usage = call(codec, tenant, USAGE, question)
        if usage.aggregates:
            break
    assert {series.subscription for series in usage.series} == {"sub-1"}, usage
    refused(Code.PERMISSION_DENIED, codec, tenant, REPORT, collector_pb2.ReportRequest())
    refused(Code.UNAUTHENTICATED, codec, "sm_nobody", METERS, query_pb2.ListMetersRequest())
    refused(Code.UNIMPLEMENTED, codec, operator, JOURNAL, collector_pb2.ReadJournalRequest())
    refused(
        Code.INVALID_ARGUMENT, codec, operator, USAGE, query_pb2.ListUsageRequest(granularity=77)
    )
assert outcomes == ["OUTCOME_ACCEPTED", "OUTCOME_DUPLICATE"], outcomes


# What the gateway writes is what protobuf's own JSON is, member for member.
def raw(path, body):
    request = urllib.request.Request(
        f"{url}/{path}",
        data=body.encode(),
        headers={"Authorization": f"Bearer {operator}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


for path, response in [
    ("stackmeter.v1.Query/ListMeters", query_pb2.ListMetersResponse()),
    ("stackmeter.v1.Query/GetStatus", query_pb2.PipelineStatus()),
    ("stackmeter.v1.Query/ListWindows", query_pb2.ListWindowsResponse()),
    ("stackmeter.v1.Collector/GetStatus", collector_pb2.CollectorStatus()),
]:
    text = raw(path, "{}")
    json_format.Parse(text, response, ignore_unknown_fields=False)
    assert json_format.MessageToDict(response) == __import__("json").loads(text), text
print("connect ok")
