"""Asks a gateway for usage with an unmodified azure-mgmt-commerce, and checks every answer.

Usage: azure_usage.py VERSION URL WORK_DIRECTORY, with the version's packages in PYTHONPATH. WORK_DIRECTORY/question.json
has the tokens, the days and what every answer must be. Prints one line for each check; fails on the first surprise.
"""

import datetime
import fractions
import json
import logging
import pathlib
import sys

version, url, work = sys.argv[1:]
question = json.loads(pathlib.Path(work, "question.json").read_text())
import azure.mgmt.commerce  # noqa: E402

found = getattr(azure.mgmt.commerce, "VERSION", None) or azure.mgmt.commerce.__version__
assert found == version, found


def client_6(subscription, token):
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class Bearer(SansIOHTTPPolicy):
        """The SDK's own refuses to send a token without TLS; that is all it does otherwise."""

        def on_request(self, request):
            request.http_request.headers["Authorization"] = "Bearer " + token

    class Credential:
        def get_token(self, *scopes, **options):
            raise AssertionError("nobody asks")

    return azure.mgmt.commerce.UsageManagementClient(
        Credential(), subscription, base_url=url, authentication_policy=Bearer()
    )


def client_1(subscription, token):
    from msrest.authentication import BasicTokenAuthentication

    return azure.mgmt.commerce.UsageManagementClient(
        BasicTokenAuthentication({"access_token": token}), subscription, base_url=url
    )


is_old = version.startswith("1.")
client = client_1 if is_old else client_6
if is_old:
    from azure.mgmt.commerce.models import ErrorResponseException as Failure
else:
    from azure.core.exceptions import HttpResponseError as Failure


def instant(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=datetime.timezone.utc
    )


def done(check):
    print(version, check, "ok", flush=True)


def lines(name, token, **options):
    asked = client(name, token).usage_aggregates
    return list(asked.list(instant(question["start"]), instant(question["end"]), **options))


def check(expected):
    token = question["tokens"][expected["caller"]]
    options = {"aggregation_granularity": expected["granularity"]}
    if not expected["details"]:
        options["show_details"] = False
    elif expected["granularity"] == "Hourly":
        options["show_details"] = True
    answer = lines(expected["subscription"], token, **options)
    keys = set()
    total = fractions.Fraction()
    for line in answer:
        assert line.type == "Microsoft.Commerce/UsageAggregate", line.type
        assert line.name == f"{line.subscription_id}-{line.meter_id}", line.name
        assert line.subscription_id == expected["subscription"]
        hours = 24 if expected["granularity"] == "Daily" else 1
        assert line.usage_end_time - line.usage_start_time == datetime.timedelta(hours=hours)
        assert line.usage_start_time.utcoffset() == datetime.timedelta(0)
        uri = None
        if expected["details"]:
            data = line.instance_data
            data = json.loads(data) if isinstance(data, str) else data
            resource = data["Microsoft.Resources"]
            assert list(resource) == ["resourceUri", "location", "tags", "additionalInfo"]
            uri = resource["resourceUri"]
            assert uri.split("/")[2] == expected["subscription"], uri
        else:
            assert line.instance_data is None, line.instance_data
        # Reported again in a later window, as late usage is, a key is there once more.
        keys.add((line.meter_id, uri, line.usage_start_time))
        assert isinstance(line.quantity, float), line.quantity
        total += fractions.Fraction(line.quantity)
    assert len(answer) == expected["lines"], len(answer)
    assert len(keys) == expected["keys"], len(keys)
    assert total == fractions.Fraction(expected["total"]), total


for expected in question["answers"]:
    check(expected)
    done(expected["name"])


def failure(name, token, start, end, **options):
    try:
        asked = client(name, token).usage_aggregates
        list(asked.list(instant(start), instant(end), **options))
    except Failure as error:
        return error
    raise AssertionError("there is an answer")


for expected in question["failures"]:
    error = failure(
        expected["subscription"], expected["token"], expected["start"], expected["end"],
        aggregation_granularity=expected["granularity"],
    )
    status = error.response.status_code if is_old else error.status_code
    assert status == expected["status"], status
    assert error.error.code == expected["code"], error.error.code
    assert expected["part"] in error.error.message, error.error.message
    if not is_old:
        assert expected["part"] in error.message, error.message
        kind = {401: "ClientAuthenticationError", 404: "ResourceNotFoundError"}
        assert type(error).__name__ == kind.get(status, "HttpResponseError"), type(error)
    done(expected["name"])

# What usage costs.
rates = question["rates"]


def rate_card(currency, token=question["tokens"]["tenant"]):
    return client(rates["subscription"], token).rate_card.get(
        f"OfferDurableId eq 'MS-AZR-0003P' and Currency eq '{currency}' and Locale eq 'en-US' "
        "and RegionInfo eq 'DE'"
    )


card = rate_card("EUR")
assert card.currency == "EUR" and card.locale == "en-US" and card.is_tax_included is False
assert not card.offer_terms, card.offer_terms
found = [
    {
        "meter": meter.meter_id, "name": meter.meter_name, "unit": meter.unit,
        "region": meter.meter_region, "included": meter.included_quantity,
        "rates": meter.meter_rates, "effective": meter.effective_date.isoformat(),
    }
    for meter in card.meters
]
assert found == rates["meters"], found
done("rate card")
for currency, token, status in [("USD", "tenant", 400), ("EUR", "stranger", 404)]:
    try:
        rate_card(currency, question["tokens"][token])
    except Failure as error:
        assert (error.response.status_code if is_old else error.status_code) == status
    else:
        raise AssertionError("there is an answer")
done("rate card refused")

# The window that the question reaches into is closed once the client was told to wait.
class Watch(logging.Handler):
    count = 0

    def emit(self, record):
        if " 503 " in record.getMessage():
            Watch.count += 1
            pathlib.Path(work, f"waits-{version}").touch()


connections = logging.getLogger("urllib3.connectionpool")
connections.setLevel(logging.DEBUG)
connections.addHandler(Watch())
last = question["unfinished"]
asked = client(last["subscription"], question["tokens"]["operator"]).usage_aggregates
answer = list(
    asked.list(instant(last["start"]), instant(last["end"]), aggregation_granularity="Hourly")
)
assert len(answer) == last["lines"], len(answer)
assert Watch.count > 0, "nobody was told to wait"
done("waits for a window")
