"""Sample data of the digital bank: at scale 1 a thousandth of the bank of `brief.md`.

What a field is drawn from stands beside its name. A name that begins with `_` is drawn for the sake of
others and is no part of the document: how reliable a customer is, what becomes of an application, when an
instalment is paid. References, copies and totals follow from the marks in `db_schema.py`.
"""

from datetime import UTC, datetime
from itertools import combinations

import bank_rules as rules
import numpy as np
from bank_customers import ALTERNATIVE_DATA, E_WALLETS, HOURS, JAKARTA, PAYMENT_CHANNELS, customers
from bank_draws import Logged, Trail
from mimiod import DatabaseSeeder
from mimiod.seeding import (
    MISSING,
    After,
    Array,
    Before,
    Chance,
    Choice,
    Count,
    Day,
    Digits,
    Earlier,
    Exponential,
    Function,
    Get,
    Happened,
    Histogram,
    Item,
    ItemRows,
    LogNormal,
    Maybe,
    Normal,
    Position,
    Previous,
    Rows,
    Sum,
    Summary,
    Text,
    Uniform,
    Until,
    Vectorised,
    When,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BUSY_HOUR = Histogram(list(range(25)), HOURS)
WORKING_HOUR = Histogram([9, 12, 13, 18], [45, 5, 50])


def staff(prefix: str, *names: str) -> Choice:
    """Return employees of the bank's directory."""
    return Choice([{"id": f"{prefix}-{number:02}", "name": name} for number, name in enumerate(names, 1)])


# Applications

MOST_APPLICATIONS = 15
"Of one customer."
WAITS_FOR_PAYDAY = 0.35
PURPOSES = {"stock": 34, "equipment": 22, "school fees": 14, "medical bills": 12, "repairs": 10, "phone": 8}
PERIOD = {"weekly": 7, "biweekly": 14, "monthly": 30}
"Days from one instalment to the next."
INSTALMENTS = {
    "weekly": Choice([4, 8, 10, 12, 16, 20]),
    "biweekly": Choice([4, 6, 8, 10, 12]),
    "monthly": Choice([4, 6, 9, 12]),
}
APPROVED, REJECTED = "approved", "rejected"
APPROVED_BY_HAND, REJECTED_BY_HAND = "approved by hand", "rejected by hand"
BY_HAND = (APPROVED_BY_HAND, REJECTED_BY_HAND)
FATES = {  # in percent: in all, 80 are decided by the model and 6 approved
    "A": Choice({APPROVED: 38, APPROVED_BY_HAND: 20, REJECTED_BY_HAND: 12, REJECTED: 30}),
    "B": Choice({APPROVED: 6, APPROVED_BY_HAND: 8, REJECTED_BY_HAND: 20, REJECTED: 66}),
    "C": Choice({APPROVED: 0.5, APPROVED_BY_HAND: 1, REJECTED_BY_HAND: 18, REJECTED: 80.5}),
    "D": Choice({APPROVED_BY_HAND: 0.2, REJECTED_BY_HAND: 16, REJECTED: 83.8}),
}
ACCEPTED = 0.92
OFFER_STANDS = 7
"Days; then it lapses."
STOPS_PAYING = {"A": Chance(0.03), "B": Chance(0.06), "C": Chance(0.12), "D": Chance(0.2)}
UNDERWRITERS = staff(
    "UW", "Sri Wahyuni", "Agus Salim", "Dewi Lestari", "Budi Hartono", "Rina Marlina", "Eko Prasetyo",
    "Wulan Sari", "Hendra Gunawan", "Maya Putri", "Yusuf Maulana", "Fitri Handayani", "Dian Pratama",
)  # fmt: skip

loan_applications = Rows(
    When(
        "identity.status",
        {"verified": Until("loan_applications", "applied_at", high=MOST_APPLICATIONS, hours=1)},
        otherwise=0,
    ),
    {
        "_fate": When("customer_id._grade", FATES),
        "_is_good": When("_fate", {(APPROVED, APPROVED_BY_HAND): True}, otherwise=False),
        "_accepts": Chance(ACCEPTED),
        "_is_paid_out": Vectorised(lambda good, accepts: (good != 0) & accepts, "_is_good", "_accepts"),
        "_stops": When("customer_id._grade", STOPS_PAYING),
        "_period": When("frequency", PERIOD),
        "_rest": Exponential(40, digits=0),
        "_pause": Vectorised(rules.pause, "_is_paid_out", "_stops", "instalments", "_period", "_rest"),
        "_may_apply_at": After("customer_id._ready_at", by=Earlier("_pause", "sum"), past=False),
        "_waits": Chance(WAITS_FOR_PAYDAY),
        "_payday": Uniform(0.0, 1.0),
        "_hour": BUSY_HOUR,
        "_sent_at": Vectorised(rules.application, "_may_apply_at", "_waits", "_payday", "_hour"),
        "_scored_at": After("applied_at", by=Uniform(2.0, 15.0), unit="seconds", past=False),
        "_model": Vectorised(rules.model_version, "_scored_at"),
        "_queued_at": When("_fate", {BY_HAND: After("_scored_at", by=1, unit="seconds", past=False)}),
        "_decided_at": When(
            "_fate",
            {BY_HAND: After("_queued_at", by=LogNormal(20, 0.8, low=1, high=150), unit="hours", past=False)},
            otherwise=After(
                "_scored_at", by=LogNormal(60, 0.8, low=10, high=480), unit="seconds", past=False
            ),
        ),
        "_is_decided": Happened("_decided_at"),
        "_answered_at": When(
            "_accepts",
            {
                True: After(
                    "_decided_at", by=LogNormal(60, 1.2, low=5, high=4_000), unit="minutes", past=False
                )
            },
            otherwise=After("_decided_at", by=OFFER_STANDS, past=False),
        ),
        "_is_answered": Happened("_answered_at"),
        "_over_at": When("status", {("disbursed", "lapsed"): Get("_answered_at")}),
        "_queue_status": When(
            "_is_decided", {True: "done"}, otherwise=Choice({"waiting": 80, "assigned": 20})
        ),
        "_underwriter": UNDERWRITERS,
        "_decided_by": When("_fate", {BY_HAND: Get("_underwriter.id")}, otherwise=Get("_model")),
        "number": Text("APP-{applied_at:%y%m}-{row:07}"),
        "channel": Choice({"android_app": 78, "ios_app": 12, "agent": 7, "partner": 3}),
        "purpose": Choice(PURPOSES),
        "requested_amount": LogNormal(6_200_000, 0.6, low=rules.LEAST, high=rules.MOST, digits=-5),
        "frequency": Choice({"weekly": 35, "biweekly": 30, "monthly": 35}),
        "instalments": When("frequency", INSTALMENTS),
        "started_at": Before("_sent_at", by=Uniform(2.0, 9.9), unit="minutes"),
        "applied_at": Get("_sent_at"),
        "status": When(
            "_is_decided",
            {False: "in_review"},
            otherwise=When(
                "_is_good",
                {False: "rejected"},
                otherwise=When(
                    "_is_answered",
                    {False: "approved"},
                    otherwise=When("_accepts", {True: "disbursed", False: "lapsed"}),
                ),
            ),
        ),
        "underwriting": When(
            "_fate",
            {
                BY_HAND: {
                    "queue_status": Get("_queue_status"),
                    "queued_at": Get("_queued_at"),
                    "underwriter": When("_queue_status", {"waiting": None}, otherwise=Get("_underwriter")),
                }
            },
        ),
    },
    per="customers",
)

# Scores and decisions

SCORES = {
    APPROVED: Normal(725, 30, low=690, high=850),
    BY_HAND: Uniform(620, 689),
    REJECTED: Normal(555, 35, low=300, high=619),
}
GOOD = ["income", "e-wallet turnover", "bills paid on time", "stable home", "old social profiles"]
BAD = ["income", "young social profiles", "no stable home", "unpaid bills", "little app usage"]
RETENTION = 3_653
"Days in ten years."


def reasons(rule: str, spoken: list[str]) -> Choice:
    """Return a choice of one to three reasons, the rule before them."""
    return Choice([[rule, *chosen] for size in (1, 2, 3) for chosen in combinations(spoken, size)])


scores = Rows(
    1,
    {
        "value": When("application_id._fate", SCORES),
        "model_version": Get("application_id._model"),
        "scored_at": Get("application_id._scored_at"),
        "influences": {
            kind: When(f"customer_id._has.{kind}", {True: Normal(0, 15, digits=0)}, otherwise=MISSING)
            for kind in ALTERNATIVE_DATA
        },
    },
    per="loan_applications",
)

decisions = Rows(
    When("_is_decided", {True: 1}, otherwise=0),
    {
        "_share": Choice({1.0: 3, 0.75: 1}),
        "outcome": When("application_id._is_good", {True: "approved"}, otherwise="rejected"),
        "method": When("application_id._fate", {BY_HAND: "underwriter"}, otherwise="automatic"),
        "decided_at": Get("application_id._decided_at"),
        "decided_by": Get("application_id._decided_by"),
        "reasons": When(
            "application_id._fate",
            {
                APPROVED: reasons("score above threshold", GOOD),
                REJECTED: reasons("score below threshold", BAD),
                APPROVED_BY_HAND: reasons("reviewed by hand", GOOD),
                REJECTED_BY_HAND: reasons("reviewed by hand", BAD),
            },
        ),
        "approved_amount": When(
            "outcome",
            {"approved": Vectorised(rules.approved, "application_id.requested_amount", "_share")},
        ),
        "keep_until": After("decided_at", by=RETENTION, past=False),
    },
    per="loan_applications",
)

# Loans and payments

PAYOUTS = ["bank account BCA", "bank account BRI", "bank account Mandiri", "e-wallet DANA", "e-wallet GoPay"]
PAYS_LATE = {"A": Chance(0.14), "B": Chance(0.22), "C": Chance(0.3), "D": Chance(0.35)}
LATE_DAYS = LogNormal(6, 0.9, low=1, high=50, digits=0)
EARLY_DAYS = Choice({0: 50, -1: 25, -2: 12, -3: 13})
IN_TWO_PARTS, SENT_TWICE = 0.08, 0.022
ON_THE_WAY, SENT_AGAIN = 12, 36
"Hours after which an event has arrived, and after which one that is sent again has."
KEEPS_CHANNEL = 0.8
PROVIDERS = {
    "virtual_account": Choice(["BCA", "BRI", "BNI", "Mandiri"]),
    "e_wallet": Choice(E_WALLETS),
    "convenience_store": Choice(["Alfamart", "Indomaret"]),
    "direct_debit": Choice(["BRI", "Mandiri"]),
}
ARRIVES_AFTER = {  # seconds from the payment to its event
    "virtual_account": Uniform(5, 120),
    "e_wallet": Uniform(1, 20),
    "convenience_store": Uniform(600, 21_600),
    "direct_debit": Uniform(3_600, 43_000),
}

instalment = {
    "_late": When("customer_id._grade", PAYS_LATE),
    "_days": When("_late", {True: LATE_DAYS, False: EARLY_DAYS}),
    "_hour": BUSY_HOUR,
    "_two_parts": Chance(IN_TWO_PARTS),
    "_gap": Uniform(1, 6),
    "_percent": Uniform(30, 70),
    "_meant_at": Vectorised(rules.meant, "due_at", "_days", "_hour"),
    "_rest_meant_at": Vectorised(rules.rest, "_meant_at", "_two_parts", "_gap"),
    "_before": Earlier("_rest_meant_at", "max"),
    "_first_at": Vectorised(rules.paid, "_meant_at", "_before", "number", "_paid_parts"),
    "_all_at": Vectorised(rules.paid, "_rest_meant_at", "_before", "number", "_paid_parts", "_two_parts"),
    "_first_is_in": Happened("_first_at", hours=ON_THE_WAY),
    "_all_is_in": Happened("_all_at", hours=ON_THE_WAY),
    "_first_amount": Vectorised(rules.first_amount, "amount", "_percent"),
    "_is_old": Happened("_first_at", hours=SENT_AGAIN),
    "_is_repeated": Chance(SENT_TWICE),
    "_twice": Vectorised(np.logical_and, "_is_old", "_is_repeated"),
    "_again_after": LogNormal(300, 1.5, low=1, high=86_400, digits=0),
    "_events": Vectorised(rules.events, "_two_parts", "_first_is_in", "_all_is_in", "_twice"),
    "_channel": Maybe(KEEPS_CHANNEL, Get("customer_id._pays_by"), otherwise=Choice(PAYMENT_CHANNELS)),
    "_provider": When("_channel", PROVIDERS),
    "_arrives_after": When("_channel", ARRIVES_AFTER),
    "_case_at": Vectorised(rules.case, "due_at"),
    "_case_night_was": Happened("_case_at"),
    "_very_late": Vectorised(
        lambda was, case, paid: was & (paid > case), "_case_night_was", "_case_at", "_all_at"
    ),
    "_one_was": Earlier("_very_late", "max"),
    "_opens_case": Vectorised(lambda late, before: late & (before == 0), "_very_late", "_one_was"),
    "number": Position(),
    "due_at": Vectorised(rules.due, "_first_day", "_period", "number"),
    "amount": Vectorised(rules.part, "total_due", "_parts", "number"),
    "paid_amount": Vectorised(
        rules.paid_amount, "amount", "_first_amount", "_two_parts", "_first_is_in", "_all_is_in"
    ),
    "to_pay": Vectorised(np.subtract, "amount", "paid_amount"),
    "paid_at": When("_all_is_in", {True: Get("_all_at")}),
    "status": When(
        "_all_is_in", {True: "paid"}, otherwise=When("_is_lost", {True: "written_off"}, otherwise="open")
    ),
}

loans = Rows(
    When("status", {"disbursed": 1}, otherwise=0),
    {
        "_parts": Get("application_id.instalments"),
        "_period": Get("application_id._period"),
        "_stop": Uniform(0.0, 1.0),
        "_first_day": Vectorised(rules.day_of, "disbursed_at"),
        "_paid_parts": Vectorised(rules.paid_parts, "application_id._stops", "_parts", "_stop"),
        "_lost_at": Vectorised(rules.lost, "_first_day", "_period", "_parts", "_paid_parts"),
        "_is_lost": Happened("_lost_at"),
        "_is_overdue": Happened("next_due_at"),
        "number": Text("LN-{disbursed_at:%y%m}-{row:07}"),
        "status": When(
            "_is_lost",
            {True: "written_off"},
            otherwise=When(
                "instalments_left",
                {0: "repaid"},
                otherwise=When("_is_overdue", {True: "late", False: "active"}),
            ),
        ),
        "interest": Vectorised(rules.interest, "principal", "monthly_rate_bps", "_parts", "_period"),
        "total_due": Vectorised(np.add, "principal", "interest"),
        "outstanding": Vectorised(np.subtract, "total_due", "repaid"),
        "days_past_due": Function(
            lambda status, due_at: rules.days_past_due(status, due_at, NOW), "status", "next_due_at"
        ),
        "monthly_rate_bps": Vectorised(lambda score: np.clip(900 - score, 200, 500), "decision_id.score"),
        "disbursed_at": Get("application_id._answered_at"),
        "disbursed_to": Choice(PAYOUTS),
        "closed_at": When("status", {"repaid": Get("last_paid_at"), "written_off": Get("_lost_at")}),
        "instalments": Array(instalment, size=Get("_parts")),
    },
    per="loan_applications",
)

payments = Rows(
    ItemRows("instalments", "_events"),
    {
        "_for": Item("instalments", "_events"),
        "_is_again": Vectorised(lambda turn, twice: twice & (turn == 1), "_for.turn", "_for._twice"),
        "_is_second": Vectorised(
            lambda turn, twice, two: two & (turn == 1 + twice), "_for.turn", "_for._twice", "_for._two_parts"
        ),
        "_loan": Get("loan_id.row"),
        "instalment": Get("_for.number"),
        "amount": Vectorised(
            rules.event_amount, "_for.amount", "_for._first_amount", "_for._two_parts", "_is_second"
        ),
        "channel": Get("_for._channel"),
        "provider": Get("_for._provider"),
        "external_reference": Text("{paid_at:%Y%m%d}-{_loan:07}{instalment:02}{_is_second:d}"),
        "status": When("_is_again", {True: "duplicate", False: "booked"}),
        "duplicate_of": When("status", {"duplicate": Previous()}),
        "paid_at": When("_is_second", {True: Get("_for._all_at"), False: Get("_for._first_at")}),
        "received_at": Vectorised(
            rules.received, "paid_at", "_for._arrives_after", "_for._again_after", "_is_again"
        ),
    },
    per="loans",
    high=60,
)

# Collection

COLLECTORS = staff(
    "CL", "Joko Susilo", "Ratna Dewi", "Bambang Irawan", "Siti Aminah", "Andi Wijaya",
    "Lina Kusuma", "Rudi Setiawan", "Nur Hidayah", "Teguh Santoso", "Ayu Permata",
)  # fmt: skip

collection_cases = Rows(
    ItemRows("instalments", "_opens_case"),
    {
        "_for": Item("instalments", "_opens_case"),
        "_until": Function(
            lambda paid_at, closed_at: paid_at or closed_at or NOW, "_for.paid_at", "closed_at"
        ),
        "status": When(
            "loan_id.status", {("repaid", "written_off"): Get("loan_id.status")}, otherwise="open"
        ),
        "opened_at": Get("_for._case_at"),
        "collector": COLLECTORS,
        "contacts": Array(
            {
                "_number": Position(0),
                "_within": Uniform(0.2, 0.8),
                "_hour": WORKING_HOUR,
                "at": Vectorised(rules.contact, "opened_at", "_number", "_within", "_hour"),
                "channel": Choice({"whatsapp": 45, "call": 38, "sms": 12, "visit": 5}),
                "outcome": Choice(
                    {"no_answer": 45, "reached": 22, "promise_to_pay": 20, "refused": 8, "wrong_number": 5}
                ),
            },
            size=Vectorised(rules.contacts, "opened_at", "_until"),
        ),
    },
    per="loans",
    high=1,
)

# The audit trail

AUDITED = Trail(
    [
        Logged("customers", "identity.checked_at", "identity_checked", "identity",
               "identity.status", "pending", Get("identity.status")),
        Logged("customers", "_new_phone_at", "edited", Text("{_id}"),
               "phone", Digits("+62899########"), Get("phone"), "customer"),
        Logged("loan_applications", "applied_at", "submitted", Text("{customer_id}"),
               "status", None, "received", "customer"),
        Logged("loan_applications", "_scored_at", "scored", Get("_model"), "status", "received", "scored"),
        Logged("loan_applications", "_queued_at", "referred", Get("_model"), "status", "scored", "in_review"),
        Logged("loan_applications", "decided_at", "decided", Get("_decided_by"),
               "status", When("_fate", {BY_HAND: "in_review"}, otherwise="scored"),
               When("_is_good", {True: "approved"}, otherwise="rejected"),
               When("_fate", {BY_HAND: "employee"}, otherwise="system")),
        Logged("loan_applications", "_over_at", Get("status"),
               When("status", {"disbursed": "payout"}, otherwise="offers"),
               "status", "approved", Get("status")),
        Logged("loans", "disbursed_at", "disbursed", "payout", "status", None, "active"),
        Logged("loans", "closed_at", Get("status"), "ledger",
               "status", When("status", {"repaid": "active"}, otherwise="late"), Get("status")),
        Logged("collection_cases", "opened_at", "opened", "collections", "status", None, "open"),
        Logged("collection_cases", "closed_at", "closed", "collections", "status", "open", Get("status")),
    ]
)  # fmt: skip

audit_events = Rows(
    AUDITED.happenings(),
    {
        "_change": AUDITED,
        "entity": Get("_change.entity"),
        "entity_id": Get("_change.entity_id"),
        "at": Get("_change.at"),
        "actor_kind": Get("_change.actor_kind"),
        "actor": Get("_change.actor"),
        "action": Get("_change.action"),
        "field": Get("_change.field"),
        "before": Get("_change.before"),
        "after": Get("_change.after"),
    },
    per="customers",
    high=128,
)

daily_totals = Summary(
    "payments",
    by={"day": Day("paid_at", offset=JAKARTA), "channel": "channel"},
    totals={"payments": Count(), "amount": Sum("amount")},
    where={"status": "booked"},
)


class DigitalBankSeeder(DatabaseSeeder):
    """Fills the database of the digital bank."""

    reference_time = NOW
    rows = {
        "customers": customers,
        "loan_applications": loan_applications,
        "scores": scores,
        "decisions": decisions,
        "loans": loans,
        "payments": payments,
        "collection_cases": collection_cases,
        "audit_events": audit_events,
        "daily_totals": daily_totals,
    }
