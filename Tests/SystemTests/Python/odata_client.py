"""Reads the feed with the client python-odata: its documents, pages, filters, and what each caller sees.

    odata_client.py URL OPERATOR_TOKEN TENANT_TOKEN HOUR
"""

import datetime
import decimal
import json
import sys
import time
import urllib.error
import urllib.request

import requests
from odata import ODataService
from odata.exceptions import ODataError

url, operator, tenant, hour = sys.argv[1:]
# Three hours of a day, so that days are sums.
day = int(hour) // 24 * 24 - 24
METER = "FAB6EB84-500B-4A09-A8CA-7358F8BBAEA5"


def instant(hours):
    return datetime.datetime.fromtimestamp(hours * 3600, datetime.timezone.utc)


def stamp(hours):
    return instant(hours).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(number, subscription, group):
    start = day + number % 3
    return {
        "specversion": "1.0",
        "id": f"{subscription}-{number}",
        "source": "/providers/odata-test",
        "type": "stackmeter.usage.v1",
        "subject": f"/subscriptions/{subscription}",
        "time": stamp(start),
        "data": {
            "meter": METER,
            "quantity": "0.25",
            "resourceUri": f"/subscriptions/{subscription}/resourceGroups/{group}/providers/p/r/{number // 3}",
            "location": "west" if number // 3 % 2 else "east",
            "startTime": stamp(start),
            "endTime": stamp(start + 1),
        },
    }


def report(events):
    request = urllib.request.Request(
        f"{url}/v1/events",
        data=json.dumps(events).encode(),
        headers={
            "Authorization": f"Bearer {operator}",
            "Content-Type": "application/cloudevents-batch+json",
        },
    )
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    assert answer["accepted"] == len(events), answer


report([event(number, "sub-1", "Web") for number in range(2400)])
report([event(number, "sub-2", "db") for number in range(30)])


def service(token):
    # As Excel and Power BI sign in: the password is the token.
    return ODataService(
        f"{url}/odata/v4/", auth=("any", token), reflect_entities=True, quiet_progress=True
    )


all_of_it = service(operator)
assert set(all_of_it.entities) == {
    "HourlyUsage", "DailyUsage", "MonthlyUsage", "Charges", "Meters", "Subscriptions",
}, all_of_it.entities
Hourly = all_of_it.entities["HourlyUsage"]
Daily = all_of_it.entities["DailyUsage"]
Monthly = all_of_it.entities["MonthlyUsage"]


def rows(entity, *filters):
    query = all_of_it.query(entity)
    for part in filters:
        query = query.filter(part)
    return query.all()


def seen():
    return rows(Hourly, Hourly.UsageStart >= instant(day), Hourly.UsageStart < instant(day + 24))


deadline = time.monotonic() + 60
while len(found := seen()) < 2430:
    assert time.monotonic() < deadline, f"only {len(found)} of 2430 rows"
    time.sleep(0.2)
# Three pages, each row once.
assert len({row.Id for row in found}) == len(found) == 2430
assert sum(row.Quantity for row in found) == decimal.Decimal("607.5")
assert {row.MeterName for row in found} == {"Base VM Size Hours"}, {row.MeterName for row in found}
assert {row.ResourceGroup for row in found} == {"web", "db"}

days = rows(Daily, Daily.UsageStart == instant(day))
assert len(days) == 810 and {row.Quantity for row in days} == {decimal.Decimal("0.75")}
months = rows(Monthly, Monthly.SubscriptionId == "sub-2")
assert len(months) == 10 and sum(row.Quantity for row in months) == decimal.Decimal("7.5")

# What the store is told, and what only the filter knows.
assert len(rows(Daily, Daily.SubscriptionId == "sub-2")) == 10
assert len(rows(Daily, Daily.ResourceGroup == "db")) == 10
assert len(rows(Hourly, Hourly.SubscriptionId == "sub-2", Hourly.Location == "west")) == 15
assert len(rows(Daily, Daily.Quantity > decimal.Decimal("0.75"))) == 0
assert len(rows(Daily, Daily.ResourceUri.contains("/providers/p/r/7"), Daily.SubscriptionId == "sub-1")) == 111
assert len(rows(Daily, Daily.ResourceUri.endswith("/r/799"))) == 1
assert rows(Daily, Daily.SubscriptionId == "nobody") == []
assert len(all_of_it.query(Daily).limit(7).all()) == 7
chosen = all_of_it.query(Daily).select(Daily.MeterId, Daily.Quantity).limit(1).all()
assert chosen == [{"MeterId": METER, "Quantity": 0.75}], chosen
assert any(meter.Id == METER for meter in rows(all_of_it.entities["Meters"]))
names = {row.Id: row.State for row in rows(all_of_it.entities["Subscriptions"])}
assert names == {"sub-1": "unassigned", "sub-2": "unassigned"}, names

# The tenant's answer is the operator's, filtered.
own = service(tenant)
mine = own.query(own.entities["DailyUsage"]).all()
assert {row.Id for row in mine} == {row.Id for row in days if row.SubscriptionId == "sub-1"}
Own = own.entities["DailyUsage"]
assert own.query(Own).filter(Own.SubscriptionId == "sub-2").all() == []
assert [row.Id for row in own.query(own.entities["Subscriptions"]).all()] == ["sub-1"]

# $top with pages: together as many as were asked for.
answer = requests.get(f"{url}/odata/v4/HourlyUsage?$top=1500", auth=("any", operator)).json()
assert len(answer["value"]) == 1000, len(answer["value"])
assert "$top=500" in answer["@odata.nextLink"], answer["@odata.nextLink"]
answer = requests.get(answer["@odata.nextLink"], auth=("any", operator)).json()
assert len(answer["value"]) == 500, len(answer["value"])
assert "@odata.nextLink" not in answer

# Another caller's link, another question's, and none at all.
page = requests.get(f"{url}/odata/v4/HourlyUsage", auth=("any", operator)).json()
link = page["@odata.nextLink"]
for bad, token in [(link, tenant), (link.replace("HourlyUsage", "DailyUsage"), operator), (link + "x", operator)]:
    refused = requests.get(bad, auth=("any", token))
    assert refused.status_code == 400, refused.text
    assert refused.headers["OData-Version"] == "4.0"
    assert "$skiptoken" in refused.json()["error"]["message"], (bad, refused.text)

try:
    all_of_it.query(Daily).order_by(Daily.Quantity.desc()).all()
    assert False, "sorted"
except ODataError as error:
    assert error.code == "NotImplemented" and "$orderby" in error.message, error
try:
    service("sm_wrong")
    assert False, "signed in"
except ODataError:
    pass
except Exception as error:
    # The metadata document is no XML then.
    assert "ParseError" in type(error).__name__, error

print("odata ok")
