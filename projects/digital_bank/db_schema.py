"""The database of the digital bank: its documents, collections and indexes.

Amounts are whole Indonesian rupiah. A field `*_at` is an instant in UTC; the bank's business day is that
of Jakarta (UTC+7). What one document can prove of itself its model checks; what follows from others is
marked: `Reference`, `Copy`, `Computed`, `NotBefore`.
"""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from bank_workload import VOLUMES, WORKLOAD
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    Computed,
    Copy,
    IndexDefinition,
    IndexDirection,
    NotBefore,
    PyObjectId,
    Reference,
)
from pydantic import BaseModel, ConfigDict, Field, model_validator

IdentityStatus = Literal["pending", "verified", "refused"]
ApplicationChannel = Literal["android_app", "ios_app", "agent", "partner"]
ApplicationStatus = Literal["in_review", "rejected", "approved", "lapsed", "disbursed"]
QueueStatus = Literal["waiting", "assigned", "done"]
Outcome = Literal["approved", "rejected"]
Method = Literal["automatic", "underwriter"]
Frequency = Literal["weekly", "biweekly", "monthly"]
InstalmentStatus = Literal["open", "paid", "written_off"]
LoanStatus = Literal["active", "late", "repaid", "written_off"]
PaymentChannel = Literal["virtual_account", "e_wallet", "convenience_store", "direct_debit"]
PaymentStatus = Literal["booked", "duplicate"]
CaseStatus = Literal["open", "repaid", "written_off"]
ContactChannel = Literal["call", "whatsapp", "sms", "visit"]
ContactOutcome = Literal["no_answer", "reached", "promise_to_pay", "refused", "wrong_number"]
ActorKind = Literal["system", "customer", "employee"]
Audited = Literal["customers", "loan_applications", "loans", "collection_cases"]

Rupiah = Annotated[int, Field(ge=0)]
Principal = Annotated[int, Field(ge=1_600_000, le=24_000_000)]
"100 to 1,500 US dollars."
ScoreValue = Annotated[int, Field(ge=300, le=850)]
Text = Annotated[str, Field(min_length=1, max_length=120)]
CustomerId = Annotated[PyObjectId, Reference("customers", why="shared by all that the customer does")]
ScoreId = Annotated[PyObjectId, Reference("scores", why="kept for the regulator")]
ApplicationId = Annotated[PyObjectId, Reference("loan_applications", why="kept for the regulator")]
DecisionId = Annotated[PyObjectId, Reference("decisions", why="kept for the regulator")]
LoanId = Annotated[PyObjectId, Reference("loans", why="read and written apart from the loan")]
PaymentId = Annotated[PyObjectId, Reference("payments", why="the event that was booked")]
WITH_LOAN = "not at all: written in the transaction that changes the loan"
WITH_IT = "not at all: written in the transaction that changes the application"
NEVER_CHANGES = "not at all: what it repeats never changes"
CustomerName = Annotated[Text, Copy("customer_id.name", stale="a day; a job after the customer's change")]

RUNNING = {"status": ["active", "late"]}
"Of loans: those that are being repaid."
UNDER_WAY = {"status": ["in_review", "approved"]}
"Of applications: those that are not over."
OPEN = {"status": "open"}
BOOKED = {"status": "booked"}


def _require(*facts: tuple[bool, str]) -> None:
    """Raise ValueError with the text of the first fact that is false."""
    for true, otherwise in facts:
        if not true:
            raise ValueError(otherwise)


class Part(BaseModel):
    """What stands inside a document."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Address(Part):
    """A postal address."""

    street: Text
    city: Text
    province: Text
    postcode: str = Field(pattern=r"^\d{5}$")


class Identity(Part):
    """The check of identity card and selfie."""

    status: IdentityStatus
    selfie_similarity: float | None = Field(ge=0, le=1)
    checked_at: Annotated[datetime | None, NotBefore("registered_at")]


class PastScore(Part):
    """A score as the customer's document remembers it."""

    value: ScoreValue
    model_version: Text
    scored_at: datetime
    "When the score was made."


class CurrentScore(Part):
    """The newest score and the last five, a subset of `scores`; null before the first application."""

    value: Annotated[ScoreValue | None, Computed("latest", "scores.value", by="scores.scored_at")]
    model_version: Annotated[Text | None, Computed("latest", "scores.model_version", by="scores.scored_at")]
    scored_at: Annotated[datetime | None, Computed("max", "scores.scored_at")]
    history: list[PastScore] = Field(max_length=5)
    "The newest first, the current one included."


class Home(Part):
    """The home screen, so that opening it is one read by `_id`; null where nothing is under way."""

    loan_id: Annotated[LoanId | None, Computed("latest", "loans._id", where=RUNNING, by="loans.disbursed_at")]
    loan_number: Annotated[Text | None, Copy("home.loan_id.number", stale=WITH_LOAN)]
    outstanding: Annotated[Rupiah | None, Copy("home.loan_id.outstanding", stale=WITH_LOAN)]
    next_due_at: Annotated[datetime | None, Copy("home.loan_id.next_due_at", stale=WITH_LOAN)]
    next_due_amount: Annotated[Rupiah | None, Copy("home.loan_id.next_due_amount", stale=WITH_LOAN)]
    days_past_due: Annotated[int | None, Copy("home.loan_id.days_past_due", stale=WITH_LOAN)]
    application_id: Annotated[
        ApplicationId | None,
        Computed("latest", "loan_applications._id", where=UNDER_WAY, by="loan_applications.applied_at"),
    ]
    application_number: Annotated[Text | None, Copy("home.application_id.number", stale=WITH_IT)]
    application_status: Annotated[ApplicationStatus | None, Copy("home.application_id.status", stale=WITH_IT)]
    loans_repaid: Annotated[int, Computed("count", "loans", where={"status": "repaid"})]


class Customer(BaseMongoDbDocumentSchema):
    """A registered customer, with everything that the score engine has to see."""

    schema_version: int = Field(ge=1)
    "Of `alternative_data`: how many kinds were collected when the customer registered."
    national_id: str = Field(pattern=r"^\d{16}$")
    "Region, district, date of birth (day + 40 for women) and a serial."
    name: Text
    phone: str = Field(pattern=r"^\+628\d{8,11}$")
    email: str | None = Field(pattern=r"^[a-z0-9.]+@[a-z0-9.]+$")
    born_on: datetime
    "The date of birth, midnight UTC."
    address: Address
    identity: Identity
    occupation: Text
    employer: Text | None
    "Null for those with a business of their own."
    monthly_income: Rupiah
    registered_at: datetime
    "When the account was opened."
    alternative_data: dict[str, Any]
    "By kind (device, usage, social, e_wallet …); which kinds there are differs from customer to customer."
    score: CurrentScore
    home: Home


class Score(BaseMongoDbDocumentSchema):
    """One score of one customer; never changed."""

    customer_id: CustomerId
    application_id: ApplicationId
    "The application that it was made for."
    value: ScoreValue
    model_version: Text
    scored_at: Annotated[datetime, NotBefore("application_id.applied_at")]
    influences: dict[str, Annotated[int, Field(ge=-850, le=850)]]
    "Points for or against, by kind of alternative data."


class Employee(Part):
    """An underwriter (UW) or collector (CL) of the bank's directory."""

    id: str = Field(pattern=r"^(UW|CL)-\d{2}$")
    name: Text


class Underwriting(Part):
    """The way of an application through the underwriters' queue."""

    queue_status: QueueStatus
    queued_at: datetime
    "When it came into the queue."
    underwriter: Employee | None
    "Null while it waits."


class LoanApplication(BaseMongoDbDocumentSchema):
    """An application for a loan."""

    number: str = Field(pattern=r"^APP-\d{4}-\d{7,}$")
    customer_id: CustomerId
    customer_name: CustomerName
    channel: ApplicationChannel
    purpose: Text
    requested_amount: Principal
    instalments: int = Field(ge=4, le=20)
    frequency: Frequency
    started_at: Annotated[datetime, NotBefore("customer_id.identity.checked_at")]
    "When the customer began to fill it in."
    applied_at: Annotated[datetime, NotBefore("started_at")]
    status: ApplicationStatus
    underwriting: Underwriting | None
    "Only of those that the model left to an underwriter."
    decided_at: Annotated[
        datetime | None,
        Computed("latest", "decisions.decided_at", by="decisions.decided_at"),
        NotBefore("applied_at"),
    ]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        queue = self.underwriting
        _require(
            ((self.decided_at is None) == (self.status == "in_review"), "undecided means in_review"),
            (queue is None or self.applied_at < queue.queued_at, "in the queue before it was applied for"),
            (self.decided_at is not None or queue is not None, "the model leaves nothing undecided"),
        )
        return self


class Decision(BaseMongoDbDocumentSchema):
    """A decision on an application; never changed, and kept for ten years for the regulator."""

    application_id: ApplicationId
    customer_id: CustomerId
    score_id: ScoreId
    outcome: Outcome
    method: Method
    decided_at: Annotated[datetime, NotBefore("application_id.applied_at", "score_id.scored_at")]
    decided_by: Text
    "The model, or the underwriter's id."
    model_version: Annotated[Text, Copy("score_id.model_version", stale=NEVER_CHANGES)]
    score: Annotated[ScoreValue, Copy("score_id.value", stale=NEVER_CHANGES)]
    reasons: list[str] = Field(min_length=1, max_length=6)
    approved_amount: Principal | None
    "Null if rejected."
    keep_until: Annotated[datetime, NotBefore("decided_at")]
    "Ten years later; nothing removes it by itself."


class Instalment(Part):
    """One instalment of a loan."""

    number: int = Field(ge=1, le=20)
    due_at: datetime
    "The end of the due day in Jakarta."
    amount: Rupiah
    paid_amount: Rupiah
    "The sum of the booked payments for it."
    to_pay: Rupiah
    "`amount` less `paid_amount`."
    paid_at: datetime | None
    "When it was paid in full."
    status: InstalmentStatus

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        paid = self.status == "paid"
        _require(
            (self.to_pay == self.amount - self.paid_amount, "to_pay is not what is left"),
            (paid == (self.to_pay == 0), "paid means paid in full"),
            (paid == (self.paid_at is not None), "paid_at belongs to what is paid in full"),
        )
        return self


class Loan(BaseMongoDbDocumentSchema):
    """A loan that was paid out, with its schedule and the totals computed from it."""

    number: str = Field(pattern=r"^LN-\d{4}-\d{7,}$")
    customer_id: CustomerId
    customer_name: CustomerName
    application_id: ApplicationId
    decision_id: DecisionId
    status: LoanStatus
    "`late`: an open instalment is past its due day."
    principal: Annotated[Principal, Copy("decision_id.approved_amount", stale=NEVER_CHANGES)]
    interest: Rupiah
    total_due: Annotated[Rupiah, Computed("sum", "instalments.amount")]
    "Principal and interest."
    repaid: Annotated[Rupiah, Computed("sum", "payments.amount", where=BOOKED)]
    outstanding: Rupiah
    "`total_due` less `repaid`."
    days_past_due: int = Field(ge=0)
    "Of the oldest open instalment, in days of Jakarta; for a loan written off, on that day."
    next_due_at: Annotated[datetime | None, Computed("min", "instalments.due_at", where=OPEN)]
    next_due_amount: Annotated[
        Rupiah | None, Computed("earliest", "instalments.to_pay", where=OPEN, by="instalments.due_at")
    ]
    instalments_left: Annotated[int, Computed("count", "instalments", where=OPEN)]
    last_paid_at: Annotated[datetime | None, Computed("max", "payments.paid_at", where=BOOKED)]
    frequency: Annotated[Frequency, Copy("application_id.frequency", stale=NEVER_CHANGES)]
    monthly_rate_bps: int = Field(ge=100, le=600)
    "Flat interest a month, in hundredths of a percent of the principal."
    disbursed_at: Annotated[datetime, NotBefore("decision_id.decided_at")]
    disbursed_to: Text
    closed_at: Annotated[datetime | None, NotBefore("disbursed_at")]
    "When it was repaid or written off."
    instalments: list[Instalment] = Field(min_length=4, max_length=20)

    @model_validator(mode="after")
    def _totals_exact(self) -> Self:
        parts = self.instalments
        due = next((part.due_at for part in parts if part.status == "open"), None)
        _require(
            ([part.number for part in parts] == [*range(1, len(parts) + 1)], "instalments are misnumbered"),
            (self.total_due == self.principal + self.interest, "total_due is not principal and interest"),
            (self.total_due == sum(part.amount for part in parts), "total_due is not its instalments"),
            (self.repaid == sum(part.paid_amount for part in parts), "repaid is not what was paid"),
            (self.outstanding == self.total_due - self.repaid, "outstanding is not what is left"),
            (self.next_due_at == due, "next_due_at is not the oldest open instalment's"),
            (self.disbursed_at < parts[0].due_at, "due before it was disbursed"),
            (all(one.due_at < two.due_at for one, two in pairwise(parts)), "due dates do not ascend"),
            ((self.closed_at is None) == (self.status in {"active", "late"}), "closed_at means it is over"),
        )
        return self


class Payment(BaseMongoDbDocumentSchema):
    """A payment event as a channel sent it; one that was sent again is kept as a duplicate."""

    loan_id: LoanId
    instalment: int = Field(ge=1, le=20)
    "The number of the instalment that it pays, in part or in full."
    amount: int = Field(gt=0)
    channel: PaymentChannel
    provider: Text
    external_reference: Text
    "The channel's own key of the payment: the same each time that it sends the event."
    status: PaymentStatus
    duplicate_of: PaymentId | None
    paid_at: Annotated[datetime, NotBefore("loan_id.disbursed_at")]
    received_at: Annotated[datetime, NotBefore("paid_at")]
    "When the event arrived: seconds to hours later."

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        duplicate = self.status == "duplicate"
        _require(
            (self.paid_at < self.received_at, "received before it was paid"),
            (duplicate == (self.duplicate_of is not None), "a duplicate names what it duplicates"),
        )
        return self


class Contact(Part):
    """One attempt to reach a late customer."""

    at: datetime
    "When the contact was tried."
    channel: ContactChannel
    outcome: ContactOutcome


class CollectionCase(BaseMongoDbDocumentSchema):
    """The work on a loan, from the night in which it is 30 days late until it is over."""

    loan_id: LoanId
    customer_id: CustomerId
    customer_name: CustomerName
    status: CaseStatus
    opened_at: Annotated[datetime, NotBefore("loan_id.disbursed_at")]
    closed_at: Annotated[datetime | None, Copy("loan_id.closed_at", stale=WITH_LOAN), NotBefore("opened_at")]
    collector: Employee
    contacts: list[Contact] = Field(max_length=60)
    "In order of time; a loan is written off long before the bound."

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        times = [self.opened_at, *(contact.at for contact in self.contacts)]
        times += [self.closed_at] if self.closed_at else []
        _require(
            (times == sorted(times), "a contact lies outside the case or out of order"),
            ((self.closed_at is None) == (self.status == "open"), "open means not closed"),
        )
        return self


class AuditEvent(BaseMongoDbDocumentSchema):
    """Who changed which field, and when; never changed itself."""

    customer_id: CustomerId
    entity: Audited
    "The collection of the document that was changed."
    entity_id: PyObjectId
    "The `_id` of that document."
    at: datetime
    "When it happened."
    actor_kind: ActorKind
    actor: Text
    "An employee's id, a service's name, or the customer's `_id` in hexadecimal."
    action: Text
    field: Text
    before: str | None
    "What was there before, as text; null for something new."
    after: str | None
    "What is there now, as text; null for something that is gone."


class DailyTotal(BaseMongoDbDocumentSchema):
    """What one channel brought in on one business day; computed from the booked payments."""

    day: datetime
    "The start of the day in Jakarta."
    channel: PaymentChannel
    payments: int = Field(ge=1)
    amount: Rupiah


UP, DOWN = IndexDirection.ASCENDING, IndexDirection.DESCENDING


def _collection(model: type[BaseModel], *indexes: IndexDefinition) -> BaseCollectionSchema:
    return BaseCollectionSchema(document_schema=model, description=model.__doc__ or "", indexes=list(indexes))


def _index(name: str, *keys: tuple[str, IndexDirection], **options: Any) -> IndexDefinition:
    return IndexDefinition(name=name, keys=dict(keys), **options)


database_schema = BaseMongoDbSchema(
    database_name="digital_bank",
    description="Small loans to people and micro-businesses without a credit history.",
    workload=WORKLOAD,
    volumes=VOLUMES,
    collections={
        "customers": _collection(
            Customer,
            _index("phone", ("phone", UP), unique=True),
            _index("national_id", ("national_id", UP), unique=True),
            _index("email", ("email", UP), unique=True, partial_filter={"email": {"$gt": ""}}),
        ),
        "loan_applications": _collection(
            LoanApplication,
            _index("number", ("number", UP), unique=True),
            _index("customer_applied", ("customer_id", UP), ("applied_at", DOWN)),
            _index(
                "queue",
                ("underwriting.queued_at", UP),
                partial_filter={"underwriting.queue_status": "waiting"},
            ),
        ),
        "scores": _collection(Score, _index("customer_scored", ("customer_id", UP), ("scored_at", DOWN))),
        "decisions": _collection(Decision, _index("application", ("application_id", UP), unique=True)),
        "loans": _collection(
            Loan,
            _index("number", ("number", UP), unique=True),
            _index("application", ("application_id", UP), unique=True),
            _index("customer_disbursed", ("customer_id", UP), ("disbursed_at", DOWN)),
            _index("instalments_due", ("instalments.status", UP), ("instalments.due_at", UP)),
            _index("late", ("days_past_due", DOWN), partial_filter={"status": "late"}),
            _index("disbursed", ("disbursed_at", UP)),
        ),
        "payments": _collection(
            Payment,
            _index(
                "booked_once",
                ("channel", UP),
                ("external_reference", UP),
                unique=True,
                partial_filter=BOOKED,
            ),
            _index("loan_paid", ("loan_id", UP), ("paid_at", UP)),
            _index("paid", ("paid_at", UP)),
        ),
        "collection_cases": _collection(
            CollectionCase,
            _index("one_open", ("loan_id", UP), unique=True, partial_filter=OPEN),
            _index("worklist", ("collector.id", UP), ("opened_at", UP), partial_filter=OPEN),
        ),
        "audit_events": _collection(
            AuditEvent,
            _index("entity_at", ("entity_id", UP), ("at", UP)),
            _index("actor_at", ("actor", UP), ("at", DOWN)),
        ),
        "daily_totals": _collection(
            DailyTotal, _index("day_channel", ("day", UP), ("channel", UP), unique=True)
        ),
    },
)
