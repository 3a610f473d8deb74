"""Reads a FOCUS file as DuckDB and pandas do by themselves, and prints the sum of BilledCost of each invoice."""
import sys
from decimal import Decimal

import duckdb
import pandas

path = sys.argv[1]
decimals = {"BilledCost", "ListCost", "ContractedCost", "EffectiveCost", "PricingQuantity", "ListUnitPrice"}
times = {"ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd"}

# What each reader takes the columns for where nobody tells it.
guessed = {name: kind for name, kind, *_ in duckdb.sql(f"describe from read_csv('{path}')").fetchall()}
for name in decimals:
    assert guessed[name] == "DOUBLE", (name, guessed[name])
for name in times:
    assert guessed[name].startswith("TIMESTAMP"), (name, guessed[name])
for name in ("InvoiceId", "SubAccountId", "SkuId", "SkuPriceId", "ResourceId", "Tags"):
    assert guessed[name] == "VARCHAR", (name, guessed[name])
frame = pandas.read_csv(path)
for name in decimals:
    assert frame[name].dtype == "float64", (name, frame[name].dtype)
assert frame["InvoiceId"].dtype == "object" and frame["InvoiceId"].notna().all()

# And exactly, where it is told to.
rows = duckdb.sql(f"""
    select InvoiceId, sum(BilledCost) from read_csv('{path}', types = {{'BilledCost': 'DECIMAL(38, 18)'}})
    group by InvoiceId order by InvoiceId""").fetchall()
for invoice, total in rows:
    print("duckdb", invoice, total.quantize(Decimal("0.01")) if total == total.quantize(Decimal("0.01")) else total)
exact = pandas.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
for invoice, costs in sorted(exact.groupby("InvoiceId")["BilledCost"]):
    total = sum(Decimal(cost) for cost in costs)
    print("pandas", invoice, total.quantize(Decimal("0.01")) if total == total.quantize(Decimal("0.01")) else total)
