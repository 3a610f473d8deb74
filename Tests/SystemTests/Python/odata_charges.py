"""Reads the charges of the feed with the client python-odata.

    odata_charges.py URL OPERATOR_TOKEN TENANT_TOKEN PERIOD SUBSCRIPTION

The tenant has SUBSCRIPTION, whose statement is closed; another subscription has a draft.
"""

import sys
from decimal import Decimal

import requests
from odata import ODataService

url, operator, tenant, period, closed = sys.argv[1:]


def service(token):
    return ODataService(
        f"{url}/odata/v4/", auth=("any", token), reflect_entities=True, quiet_progress=True
    )


def exact(subscription):
    """What /v1/charges has of a subscription."""
    parameters = {"subscription": subscription, "period": period, "closedOnly": "true"}
    costs = []
    while True:
        page = requests.get(f"{url}/v1/charges", params=parameters, auth=("any", operator)).json()
        costs += [Decimal(charge["cost"]) for charge in page["value"]]
        if "nextPageToken" not in page:
            return costs
        parameters["pageToken"] = page["nextPageToken"]


feed = service(operator)
Charges = feed.entities["Charges"]
rows = feed.query(Charges).filter(Charges.BillingPeriod == period).all()
assert len({row.Id for row in rows}) == len(rows) > 0
subscriptions = {row.SubscriptionId for row in rows}
assert len(subscriptions) == 2 and closed in subscriptions, subscriptions
for subscription in subscriptions:
    own = [row for row in rows if row.SubscriptionId == subscription]
    assert sorted(Decimal(row.ExactCost) for row in own) == sorted(exact(subscription)), subscription
    assert {row.Statement is None for row in own} == {subscription != closed}
    assert {row.Currency for row in own} == {"EUR"}

# By the days of the usage, and by what only the filter knows.
mine = feed.query(Charges).filter(Charges.BillingPeriod == period)
usage = mine.filter(Charges.SubscriptionId == closed).filter(Charges.Kind == "usage").all()
assert usage and all(row.UsageStart is not None and row.ResourceUri for row in usage)
minimum = feed.query(Charges).filter(Charges.BillingPeriod == period).filter(Charges.Kind == "minimum").all()
assert minimum and all(row.UsageStart is None for row in minimum)
# Without a period it is this one and the one before.
assert {row.Id for row in feed.query(Charges).all()} == {row.Id for row in rows}
assert feed.query(Charges).filter(Charges.BillingPeriod == "1999-01").all() == []

# A tenant has its own.
own = service(tenant)
Own = own.entities["Charges"]
assert {row.Id for row in own.query(Own).all()} == {row.Id for row in rows if row.SubscriptionId == closed}
print("odata charges ok")
