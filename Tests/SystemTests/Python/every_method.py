"""Calls every method of every service with grpcio and stubs that grpcio-tools makes from our .proto files.

Usage: every_method.py ROOT RUN_DIRECTORY WORK_DIRECTORY. Prints one line for each method; fails on the first surprise.
"""

import pathlib
import sys
import time

root, run, work = sys.argv[1:]

from grpc_tools import protoc  # noqa: E402

protos = [str(p.relative_to(f"{root}/proto")) for p in pathlib.Path(f"{root}/proto").rglob("*.proto")]
assert protos
assert (
    protoc.main(
        [
            "protoc", f"-I{root}/proto", f"--python_out={work}", f"--grpc_python_out={work}",
            f"--descriptor_set_out={work}/descriptors", *protos,
        ]
    )
    == 0
)
# The package grpc of grpcio shadows our stubs below grpc, so that their directory is added to it.
sys.path.insert(0, work)
import grpc  # noqa: E402
from stackmeter.v1 import aggregator_pb2, aggregator_pb2_grpc  # noqa: E402
from stackmeter.v1 import collector_pb2, collector_pb2_grpc  # noqa: E402
from stackmeter.v1 import common_pb2, query_pb2, query_pb2_grpc  # noqa: E402

grpc.__path__.append(f"{work}/grpc")
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: E402
from grpc.health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from grpc.reflection.v1 import reflection_pb2, reflection_pb2_grpc  # noqa: E402

DEADLINE = 10
HOUR = 3600 * 10**9


def stub(service, kind):
    return kind(grpc.insecure_channel(f"unix:{run}/{service}.sock"))


def done(method):
    print(method, "ok", flush=True)


collector = stub("collector", collector_pb2_grpc.CollectorStub)
aggregator = stub("aggregator", aggregator_pb2_grpc.AggregatorStub)
query = stub("query", query_pb2_grpc.QueryStub)
operator = common_pb2.Caller(role=common_pb2.Caller.ROLE_OPERATOR)

now = time.time_ns()
start = now - now % HOUR - HOUR
series = common_pb2.Series(
    subscription="From-Python",
    meter="AGENT-CPU-CORE-SECONDS",
    resource_uri="/subscriptions/from-python/résumé",
    tags={"b": "2", "a": "1"},
)


def event(identity, **changes):
    fields = dict(
        id=identity, source="grpcio", series=series, usage_start=start, usage_end=start + HOUR,
        quantity=common_pb2.Quantity(units=1, attos=5 * 10**17),
    )
    return collector_pb2.UsageEvent(**{**fields, **changes})


answer = collector.Report(
    collector_pb2.ReportRequest(
        events=[
            event("1"), event("1"), event("1", quantity=common_pb2.Quantity(units=9)),
            event("2", series=common_pb2.Series(subscription="x", meter="nope", resource_uri="/r")),
            event(""),
        ]
    ),
    timeout=DEADLINE,
)
outcomes = [collector_pb2.Outcome.Name(r.outcome) for r in answer.results]
assert outcomes == [
    "OUTCOME_ACCEPTED", "OUTCOME_DUPLICATE", "OUTCOME_CONFLICT", "OUTCOME_QUARANTINED",
    "OUTCOME_INVALID",
], outcomes
assert answer.results[4].field == "id", answer.results[4]
done("Collector.Report")


def batches():
    for number in (7, 8):
        yield collector_pb2.EventBatch(
            number=number, source="grpcio", series=[series], ids=b"ab" * 1, id_lengths=[1, 1],
            series_indices=[0, 0], usage_starts=[start, start], usage_ends=[start + 1] * 2,
            quantity_units=[1, 2],
        )


results = list(collector.ReportStream(batches(), timeout=DEADLINE))
assert [r.number for r in results] == [7, 8], results
assert results[0].ranges[0].count == 2, results
assert results[0].ranges[0].outcome == collector_pb2.OUTCOME_ACCEPTED, results
assert {r.outcome for r in results[1].ranges} == {collector_pb2.OUTCOME_DUPLICATE}, results
done("Collector.ReportStream")

chunks = list(collector.ReadJournal(collector_pb2.ReadJournalRequest(from_position=1), timeout=DEADLINE))
assert chunks[-1].next_position == 4, chunks
done("Collector.ReadJournal")

entries = collector.ListQuarantine(collector_pb2.ListQuarantineRequest(), timeout=DEADLINE).entries
assert [e.reason for e in entries] == ["Conflict", "UnknownMeter", "Malformed"], entries
assert {e.state for e in entries} == {collector_pb2.QUARANTINE_STATE_OPEN}, entries
done("Collector.ListQuarantine")

collector.ConfirmApplied(
    collector_pb2.ConfirmAppliedRequest(position=1, journal_id=chunks[-1].journal_id), timeout=DEADLINE
)
done("Collector.ConfirmApplied")
entry = collector.GetQuarantineEntry(collector_pb2.GetQuarantineEntryRequest(number=2), timeout=DEADLINE)
assert entry == entries[1], entry
done("Collector.GetQuarantineEntry")

answer = collector.RedriveQuarantine(
    collector_pb2.ResolveQuarantineRequest(numbers=[2, 9]), timeout=DEADLINE)
assert [(r.number, r.state, r.reason) for r in answer.results] == [
    (2, collector_pb2.QUARANTINE_STATE_OPEN, "UnknownMeter"),
    (9, collector_pb2.QUARANTINE_STATE_ABSENT, ""),
], answer
done("Collector.RedriveQuarantine")

answer = collector.DiscardQuarantine(
    collector_pb2.ResolveQuarantineRequest(
        filter=collector_pb2.QuarantineFilter(reasons=["UnknownMeter"])),
    timeout=DEADLINE)
assert [(r.number, r.state) for r in answer.results] == [
    (2, collector_pb2.QUARANTINE_STATE_DISCARDED)
], answer
try:
    collector.DiscardQuarantine(collector_pb2.ResolveQuarantineRequest(), timeout=DEADLINE)
    raise AssertionError("everything was discarded although nothing was named")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
done("Collector.DiscardQuarantine")

assert collector.GetStatus(common_pb2.GetStatusRequest(), timeout=DEADLINE).next_position == 4
done("Collector.GetStatus")

while aggregator.GetStatus(common_pb2.GetStatusRequest(), timeout=DEADLINE).next_position < 4:
    time.sleep(0.02)
done("Aggregator.GetStatus")

restated = aggregator.Restate(aggregator_pb2.RestateRequest(dry_run=True), timeout=DEADLINE)
assert not restated.applied and not restated.meters and restated.position >= 4, restated
done("Aggregator.Restate")

this_hour = now // HOUR
usage = query.ListUsage(
    query_pb2.ListUsageRequest(
        caller=operator, from_window=this_hour - 1, to_window=this_hour + 2,
        granularity=query_pb2.GRANULARITY_HOURLY,
    ),
    timeout=DEADLINE,
)
assert len(usage.aggregates) == 1, usage
row = usage.aggregates[0]
series = usage.series[row.series]
assert series.subscription == "from-python" and series.tags["a"] == "1", usage
assert (row.quantity.units, row.quantity.attos) == (4, 5 * 10**17), row
assert row.usage_start == start and row.provisional, row
done("Query.ListUsage")

totals = query.Summarize(
    query_pb2.SummarizeRequest(
        caller=common_pb2.Caller(
            role=common_pb2.Caller.ROLE_TENANT, subscriptions=["from-python"]),
        from_hour=this_hour - 24, to_hour=this_hour + 1, by_day=True, by_subscription=True,
    ),
    timeout=DEADLINE,
).totals
assert [(t.subscription, t.quantity.units) for t in totals] == [("from-python", 4)], totals
done("Query.Summarize")

export = query.ExportUsage(
    query_pb2.ExportUsageRequest(caller=operator, format=query_pb2.EXPORT_FORMAT_CSV),
    timeout=DEADLINE)
# The window of today is open, and in no file.
assert export.data.startswith(b'"id","contentHash",') and export.rows == 0, export
assert not export.next_page_token, export
done("Query.ExportUsage")

listed = query.ListSubscriptions(
    query_pb2.ListSubscriptionsRequest(caller=operator), timeout=DEADLINE).subscriptions
assert [(s.id, s.state) for s in listed] == [("from-python", "unassigned")], listed
done("Query.ListSubscriptions")

heartbeat = collector.Heartbeat(
    collector_pb2.HeartbeatRequest(source="python", cadence_seconds=3600, complete_until=start),
    timeout=DEADLINE)
assert (heartbeat.cadence_seconds, heartbeat.complete_until) == (3600, start), heartbeat
done("Collector.Heartbeat")
while not (sources := query.ListSources(query_pb2.ListSourcesRequest(caller=operator), timeout=DEADLINE).sources):
    time.sleep(0.02)
assert [(s.name, s.complete_until) for s in sources] == [("python", start)], sources
done("Query.ListSources")

found = collector.FindUsage(
    collector_pb2.FindUsageRequest(
        from_position=1, to_position=4, journal_id=chunks[-1].journal_id,
        subscription="From-Python", meter=series.meter, usage_hour=start // HOUR),
    timeout=DEADLINE)
assert [(u.position, u.event.id, u.counts, u.takes_back) for u in found.usage] == [
    (1, "1", True, False), (2, "a", True, False), (3, "b", True, False)], found
assert found.next_position == 4, found
done("Collector.FindUsage")

explained = query.Explain(
    query_pb2.ExplainRequest(
        caller=operator, subscription="from-python", meter=series.meter, usage_hour=start // HOUR),
    timeout=DEADLINE)
assert [(p.part.units, p.part.attos) for p in explained.parts] == [(1, 5 * 10**17), (1, 0), (2, 0)]
assert explained.aggregate == explained.explained and not explained.problem, explained
try:
    query.Explain(
        query_pb2.ExplainRequest(
            caller=common_pb2.Caller(role=common_pb2.Caller.ROLE_TENANT, subscriptions=["other"]),
            subscription="from-python", meter=series.meter, usage_hour=start // HOUR),
        timeout=DEADLINE)
    raise AssertionError("a tenant was told of another's usage")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.NOT_FOUND, error
done("Query.Explain")

meters = query.ListMeters(query_pb2.ListMetersRequest(), timeout=DEADLINE).meters
assert "agent-cpu-core-seconds" in {m.id for m in meters}
done("Query.ListMeters")

windows = query.ListWindows(query_pb2.ListWindowsRequest(caller=operator), timeout=DEADLINE).windows
assert windows and not windows[0].closed, windows
done("Query.ListWindows")

status = query.GetStatus(common_pb2.GetStatusRequest(), timeout=DEADLINE)
assert status.applied_position == 4 and not status.problems, status
done("Query.GetStatus")

try:
    query.ListUsage(query_pb2.ListUsageRequest(), timeout=DEADLINE)
    raise AssertionError("a question without a caller was answered")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    assert "caller.role" in error.details(), error

for service in ("collector", "aggregator", "query"):
    health = stub(service, health_pb2_grpc.HealthStub)
    full = f"stackmeter.v1.{service.capitalize()}"
    for name in ("", full):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=DEADLINE)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, answer
    watch = health.Watch(health_pb2.HealthCheckRequest(service=full), timeout=DEADLINE)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    try:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=DEADLINE)
        raise AssertionError("an unknown service is healthy")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND, error
done("Health.Check")
done("Health.Watch")


def ask(service, *questions):
    """What reflection answers to questions in one stream."""
    reflection = stub(service, reflection_pb2_grpc.ServerReflectionStub)
    requests = [reflection_pb2.ServerReflectionRequest(**question) for question in questions]
    answers = list(reflection.ServerReflectionInfo(iter(requests), timeout=DEADLINE))
    assert [answer.original_request for answer in answers] == requests, answers
    return answers


# A client without .proto files: what it calls is all from reflection.
contract = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(f"{work}/descriptors").read_bytes())
for service, others in (("collector", []), ("aggregator", ["Billing"]), ("query", ["Rating"])):
    full = f"stackmeter.v1.{service.capitalize()}"
    (listed,) = ask(service, {"list_services": ""})
    names = [each.name for each in listed.list_services_response.service]
    assert names == ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", full] + [
        f"stackmeter.v1.{other}" for other in others], names

    pool = descriptor_pool.DescriptorPool()
    unknown, *found = ask(
        service, {"file_containing_symbol": "nobody"},
        *({"file_containing_symbol": name} for name in names),
    )
    assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], unknown
    for answer in found:
        # Every file comes before its imports, and a pool wants it after them.
        for encoded in reversed(answer.file_descriptor_response.file_descriptor_proto):
            assert descriptor_pb2.FileDescriptorProto.FromString(encoded) in contract.file, answer
            pool.AddSerializedFile(encoded)
    assert pool.FindServiceByName("grpc.health.v1.Health").methods_by_name["Watch"].server_streaming

    method = pool.FindMethodByName(f"{full}.GetStatus")
    call = grpc.insecure_channel(f"unix:{run}/{service}.sock").unary_unary(
        f"/{full}/GetStatus",
        request_serializer=message_factory.GetMessageClass(method.input_type).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    status = call(message_factory.GetMessageClass(method.input_type)(), timeout=DEADLINE)
    assert status.DESCRIPTOR.full_name.endswith("Status") and status.ListFields(), status
done("ServerReflection.ServerReflectionInfo")
