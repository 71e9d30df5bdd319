"""The workload of the digital bank: what its collections and indexes are designed for.

Frequencies are those of the brief, or the assumptions that `tech_design.md` names.
"""

from datetime import UTC, datetime, timedelta

from mimiod import Query, Sample

DAY = datetime(2025, 12, 31, 17, tzinfo=UTC)
"The business day of the sample data, as Jakarta begins it: 1 January 2026."
OF_THE_DAY = {"$gte": DAY, "$lt": DAY + timedelta(days=1)}
OF_THE_DAY_BEFORE = {"$gte": DAY - timedelta(days=1), "$lt": DAY}
OF_SIX_MONTHS = {"$gte": DAY - timedelta(days=182), "$lt": DAY}
PER_DAY = 1 / 1440

WORKLOAD = [
    Query(
        name="open_home_screen", collection="customers", filter={"_id": Sample("customers._id")},
        projection={"name": 1, "home": 1}, per_minute=12_000, priority="high", latency_ms=20,
    ),
    Query(
        name="log_in_by_phone", collection="customers", filter={"phone": Sample("customers.phone")},
        per_minute=3_000, priority="high", latency_ms=20,
    ),
    Query(
        name="refuse_second_registration", collection="customers",
        filter={"$or": [
            {"national_id": Sample("customers.national_id")},
            {"phone": Sample("customers.phone")},
            {"email": Sample("customers.email")},
        ]},
        projection={"_id": 1}, limit=1, per_minute=10_000 * PER_DAY, priority="high", latency_ms=50,
    ),
    Query(
        name="score_applicant", collection="customers", filter={"_id": Sample("customers._id")},
        per_minute=30_000 * PER_DAY, priority="high", latency_ms=50,
    ),
    Query(
        name="store_application", collection="loan_applications", action="insert",
        document={"number": Sample("loan_applications.number"), "status": "in_review"},
        per_minute=30_000 * PER_DAY, priority="high",
    ),
    Query(
        name="store_score", collection="scores", action="insert",
        document={"customer_id": Sample("scores.customer_id")},
        per_minute=30_000 * PER_DAY, priority="high",
    ),
    Query(
        name="store_decision", collection="decisions", action="insert",
        document={"application_id": Sample("decisions.application_id")},
        per_minute=30_000 * PER_DAY, priority="high",
    ),
    Query(
        name="store_score_on_customer", collection="customers", action="update",
        filter={"_id": Sample("customers._id")},
        update={
            "$set": {
                "score.value": Sample("scores.value"),
                "score.model_version": Sample("scores.model_version"),
                "score.scored_at": Sample("scores.scored_at"),
                "home.application_id": Sample("loan_applications._id"),
                "home.application_number": Sample("loan_applications.number"),
                "home.application_status": "in_review",
            },
            "$push": {"score.history": {
                "$each": [{
                    "value": Sample("scores.value"),
                    "model_version": Sample("scores.model_version"),
                    "scored_at": Sample("scores.scored_at"),
                }],
                "$position": 0, "$slice": 5,
            }},
        },
        per_minute=30_000 * PER_DAY, priority="high", latency_ms=50,
        description="store application, score",
    ),
    Query(
        name="close_application", collection="loan_applications", action="update",
        filter={"_id": Sample("loan_applications._id")},
        update={"$set": {"status": "rejected", "decided_at": Sample("decisions.decided_at")}},
        per_minute=30_000 * PER_DAY, priority="high", latency_ms=50,
    ),
    Query(
        name="show_decision_on_home_screen", collection="customers", action="update",
        filter={"_id": Sample("customers._id")},
        update={"$set": {
            "home.application_id": None, "home.application_number": None, "home.application_status": None,
        }},
        per_minute=30_000 * PER_DAY, priority="high", latency_ms=50,
    ),
    Query(
        name="list_customer_loans", collection="loans",
        filter={"customer_id": Sample("loans.customer_id")}, sort={"disbursed_at": -1},
        per_minute=600, priority="high", latency_ms=50,
    ),
    Query(
        name="find_application_by_number", collection="loan_applications",
        filter={"number": Sample("loan_applications.number")}, per_minute=20, latency_ms=50,
    ),
    Query(
        name="list_customer_applications", collection="loan_applications",
        filter={"customer_id": Sample("loan_applications.customer_id")}, sort={"applied_at": -1},
        per_minute=6_000 * PER_DAY, latency_ms=50,
    ),
    Query(
        name="underwriters_queue", collection="loan_applications",
        filter={"underwriting.queue_status": "waiting"}, sort={"underwriting.queued_at": 1}, limit=50,
        per_minute=60, priority="high", latency_ms=50,
    ),
    Query(
        name="pay_out_loan", collection="loans", action="insert",
        document={"application_id": Sample("loans.application_id"), "status": "active"},
        per_minute=1_600 * PER_DAY, priority="high",
    ),
    Query(
        name="show_loan_on_home_screen", collection="customers", action="update",
        filter={"_id": Sample("customers._id")},
        update={"$set": {
            "home.loan_id": Sample("loans._id"),
            "home.loan_number": Sample("loans.number"),
            "home.outstanding": Sample("loans.outstanding"),
            "home.next_due_at": Sample("loans.next_due_at"),
            "home.next_due_amount": Sample("loans.next_due_amount"),
            "home.days_past_due": 0,
            "home.application_id": None,
            "home.application_number": None,
            "home.application_status": None,
        }},
        per_minute=1_600 * PER_DAY, priority="high", latency_ms=50,
    ),
    Query(
        name="match_payment_with_loan", collection="loans", filter={"number": Sample("loans.number")},
        per_minute=1_200_000 * PER_DAY, priority="high", latency_ms=20,
    ),
    Query(
        name="book_payment", collection="payments", action="insert",
        document={"channel": Sample("payments.channel"), "status": "booked"},
        per_minute=1_200_000 * PER_DAY, priority="high",
    ),
    Query(
        name="book_payment_on_loan", collection="loans", action="update",
        filter={"_id": Sample("loans._id")},
        update={
            "$inc": {
                "repaid": 1, "outstanding": -1, "instalments_left": -1,
                "instalments.$[paid].paid_amount": 1, "instalments.$[paid].to_pay": -1,
            },
            "$set": {
                "last_paid_at": Sample("payments.paid_at"),
                "next_due_at": Sample("loans.next_due_at"),
                "next_due_amount": Sample("loans.next_due_amount"),
                "instalments.$[paid].status": "paid",
                "instalments.$[paid].paid_at": Sample("payments.paid_at"),
            },
        },
        per_minute=1_200_000 * PER_DAY, priority="high", latency_ms=20,
        description="book a payment",
    ),
    Query(
        name="book_payment_on_home_screen", collection="customers", action="update",
        filter={"_id": Sample("customers._id")},
        update={"$set": {
            "home.outstanding": Sample("loans.outstanding"),
            "home.next_due_at": Sample("loans.next_due_at"),
            "home.next_due_amount": Sample("loans.next_due_amount"),
            "home.days_past_due": Sample("loans.days_past_due"),
        }},
        per_minute=1_200_000 * PER_DAY, priority="high", latency_ms=20,
        description="book a payment",
    ),
    Query(
        name="close_repaid_loan_on_home_screen", collection="customers", action="update",
        filter={"_id": Sample("customers._id")},
        update={
            "$inc": {"home.loans_repaid": 1},
            "$set": {
                "home.loan_id": None, "home.loan_number": None, "home.outstanding": None,
                "home.next_due_at": None, "home.next_due_amount": None, "home.days_past_due": None,
            },
        },
        per_minute=1_500 * PER_DAY, priority="high", latency_ms=50,
    ),
    Query(
        name="payments_of_loan_in_order", collection="payments",
        filter={"loan_id": Sample("payments.loan_id")}, sort={"paid_at": 1},
        per_minute=200, latency_ms=50,
    ),
    Query(
        name="daily_totals_by_channel", collection="daily_totals", filter={"day": Sample("daily_totals.day")},
        sort={"channel": 1}, per_minute=50 * PER_DAY, latency_ms=50,
    ),
    Query(
        name="due_instalments_of_day", collection="loans",
        filter={"instalments": {"$elemMatch": {"status": "open", "due_at": OF_THE_DAY}}},
        projection={"number": 1, "customer_name": 1, "instalments": 1},
        per_minute=20 * PER_DAY, latency_ms=2_000,
    ),
    Query(
        name="late_loans_by_days_past_due", collection="loans", filter={"status": "late"},
        sort={"days_past_due": -1}, limit=100, per_minute=10, latency_ms=100,
    ),
    Query(
        name="count_days_past_due", collection="loans", action="update",
        filter={"instalments": {"$elemMatch": {"status": "open", "due_at": {"$lt": DAY}}}},
        update={"$set": {"status": "late"}}, per_minute=PER_DAY, priority="high",
    ),
    Query(
        name="vintages_by_month", collection="loans", action="aggregate",
        pipeline=[
            {"$match": {"disbursed_at": OF_SIX_MONTHS}},
            {"$group": {
                "_id": {
                    "month": {"$dateTrunc": {
                        "date": "$disbursed_at", "unit": "month", "timezone": "Asia/Jakarta",
                    }},
                    "status": "$status",
                },
                "loans": {"$sum": 1},
                "repaid": {"$sum": "$repaid"},
                "outstanding": {"$sum": "$outstanding"},
            }},
        ],
        per_minute=20 * PER_DAY, priority="low", latency_ms=30_000,
    ),
    Query(
        name="score_history_of_customer", collection="scores",
        filter={"customer_id": Sample("scores.customer_id")}, sort={"scored_at": -1},
        per_minute=100, latency_ms=50,
    ),
    Query(
        name="open_case_once", collection="collection_cases",
        action="update", filter={"loan_id": Sample("collection_cases.loan_id"), "status": "open"},
        update={"$setOnInsert": {"contacts": []}}, per_minute=150 * PER_DAY,
    ),
    Query(
        name="collectors_worklist", collection="collection_cases",
        filter={"collector.id": Sample("collection_cases.collector.id"), "status": "open"},
        sort={"opened_at": 1}, per_minute=10, latency_ms=100,
    ),
    Query(
        name="audit_trail_of_entity", collection="audit_events",
        filter={"entity_id": Sample("audit_events.entity_id")}, sort={"at": 1},
        per_minute=200 * PER_DAY, latency_ms=200,
    ),
    Query(
        name="what_one_employee_changed", collection="audit_events",
        filter={"actor": Sample("audit_events.actor")}, sort={"at": -1}, limit=200,
        per_minute=20 * PER_DAY, priority="low", latency_ms=500,
    ),
    Query(
        name="decision_on_application", collection="decisions",
        filter={"application_id": Sample("decisions.application_id")},
        per_minute=30_000 * PER_DAY, priority="high", latency_ms=50,
    ),
    Query(
        name="count_days_payments", collection="payments", action="aggregate",
        pipeline=[
            {"$match": {"paid_at": OF_THE_DAY_BEFORE, "status": "booked"}},
            {"$group": {"_id": "$channel", "payments": {"$sum": 1}, "amount": {"$sum": "$amount"}}},
            {"$set": {"day": DAY - timedelta(days=1), "channel": "$_id"}},
            {"$unset": "_id"},
            {"$merge": {"into": "daily_totals", "on": ["day", "channel"]}},
        ],
        per_minute=PER_DAY, latency_ms=60_000,
    ),
]  # fmt: skip

VOLUMES = {
    "customers": 4_000_000,
    "loan_applications": 22_000_000,
    "scores": 22_000_000,
    "decisions": 22_000_000,
    "loans": 1_150_000,
    "payments": 876_000_000,
    "collection_cases": 94_000,
    "audit_events": 80_000_000,
    "daily_totals": 2_920,
}
"Two years of the frequencies in the brief; what is older is archived."
