"""The database of the digital bank: its documents, collections and indexes.

Amounts are whole Indonesian rupiah. A field `*_at` is an instant in UTC; the bank's business day is that
of Jakarta (UTC+7). What one document can prove of itself (sums, orders in time) its model checks.
"""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    IndexDefinition,
    IndexDirection,
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
CaseStatus = Literal["open", "cured", "written_off"]
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
LoanId = Annotated[PyObjectId, Reference("loans", why="read and written apart from the loan")]
ApplicationId = Annotated[PyObjectId, Reference("loan_applications", why="kept for the regulator")]


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
    checked_at: datetime | None


class PastScore(Part):
    """A score as the customer's document remembers it."""

    value: ScoreValue
    model_version: Text
    scored_at: datetime


class CurrentScore(PastScore):
    """The newest score and the last five, a subset of `scores`."""

    history: list[PastScore] = Field(min_length=1, max_length=5)
    "The newest first, the current one included."


class HomeLoan(Part):
    """What the home screen shows of the running loan: a copy out of `loans`."""

    loan_id: LoanId
    number: Text
    outstanding: Rupiah
    next_due_at: datetime
    next_due_amount: Rupiah
    days_past_due: int = Field(ge=0)


class HomeApplication(Part):
    """What the home screen shows of an application under way: a copy out of `loan_applications`."""

    application_id: ApplicationId
    number: Text
    status: ApplicationStatus


class Home(Part):
    """The home screen, so that opening it is one read by `_id`."""

    loan: HomeLoan | None
    application: HomeApplication | None
    loans_repaid: int = Field(ge=0)


class Customer(BaseMongoDbDocumentSchema):
    """A registered customer, with everything that the score engine has to see."""

    schema_version: int = Field(ge=1)
    "Of `alternative_data`, which grows every month."
    national_id: str = Field(pattern=r"^\d{16}$")
    "Region, date of birth (day + 40 for women) and a serial."
    name: Text
    phone: str = Field(pattern=r"^\+628\d{8,11}$")
    email: str | None = Field(pattern=r"^[a-z0-9.]+@[a-z0-9.]+$")
    born_on: datetime
    address: Address
    identity: Identity
    occupation: Text
    employer: Text | None
    "Null for those with a business of their own."
    monthly_income: Rupiah
    registered_at: datetime
    alternative_data: dict[str, Any]
    "By kind (device, usage, social, e_wallet …); which kinds there are differs from customer to customer."
    score: CurrentScore | None
    "Null until the identity is verified."
    home: Home


class Score(BaseMongoDbDocumentSchema):
    """One score of one customer; never changed."""

    customer_id: CustomerId
    application_id: ApplicationId | None
    "The application it was made for; null for the score at registration."
    value: ScoreValue
    model_version: Text
    scored_at: datetime
    influences: dict[str, int]
    "Points for or against, by kind of alternative data."


class Employee(Part):
    """An underwriter (UW) or collector (CL) of the bank's directory."""

    id: str = Field(pattern=r"^(UW|CL)-\d{2}$")
    name: Text


class Decision(Part):
    """A decision, as the regulator may ask for it for ten years."""

    outcome: Outcome
    method: Method
    decided_at: datetime
    model_version: Text
    score: ScoreValue
    reasons: list[str] = Field(min_length=1, max_length=6)
    approved_amount: Principal | None
    "Null if rejected."


class Underwriting(Part):
    """The way of an application through the underwriters' queue."""

    queue_status: QueueStatus
    queued_at: datetime
    underwriter: Employee | None
    "Null while it waits."


class LoanApplication(BaseMongoDbDocumentSchema):
    """An application for a loan, and what was decided on it."""

    number: str = Field(pattern=r"^APP-\d{4}-\d{7,}$")
    customer_id: CustomerId
    customer_name: Text
    "A copy of `customers.name`, for the queue."
    channel: ApplicationChannel
    purpose: Text
    requested_amount: Principal
    instalments: int = Field(ge=4, le=20)
    frequency: Frequency
    applied_at: datetime
    status: ApplicationStatus
    underwriting: Underwriting | None
    "Only of those that the model left to an underwriter."
    decision: Decision | None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        made, queue = self.decision, self.underwriting
        _require(
            ((made is None) == (self.status == "in_review"), "undecided means in_review"),
            (made is None or self.applied_at < made.decided_at, "decided before it was applied for"),
            (queue is None or self.applied_at < queue.queued_at, "in the queue before it was applied for"),
            ((queue is None) == (made is not None and made.method == "automatic"), "the queue is by hand"),
        )
        return self


class Instalment(Part):
    """One instalment of a loan."""

    number: int = Field(ge=1, le=20)
    due_at: datetime
    "The end of the due day in Jakarta."
    amount: Rupiah
    paid_amount: Rupiah
    "The sum of the booked payments for it."
    paid_at: datetime | None
    "When it was paid in full."
    status: InstalmentStatus

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        paid = self.status == "paid"
        _require(
            (self.paid_amount <= self.amount, "more was paid than the amount"),
            (paid == (self.paid_amount == self.amount), "paid means paid in full"),
            (paid == (self.paid_at is not None), "paid_at belongs to what is paid in full"),
        )
        return self


class Loan(BaseMongoDbDocumentSchema):
    """A loan that was paid out, with its schedule and the totals computed from it."""

    number: str = Field(pattern=r"^LN-\d{4}-\d{7,}$")
    customer_id: CustomerId
    customer_name: Text
    "A copy of `customers.name`, for lists of due and late loans."
    application_id: ApplicationId
    status: LoanStatus
    "`late`: an open instalment is past its due day."
    principal: Principal
    interest: Rupiah
    total_due: Rupiah
    "Principal and interest: the sum of the instalments."
    repaid: Rupiah
    "The sum of the booked payments."
    outstanding: Rupiah
    "`total_due` less `repaid`."
    days_past_due: int = Field(ge=0)
    "Of the oldest open instalment, in days of Jakarta; for a loan written off, on that day."
    next_due_at: datetime | None
    "Of the oldest open instalment; null if none is open."
    frequency: Frequency
    monthly_rate_bps: int = Field(ge=100, le=600)
    "Flat interest a month, in hundredths of a percent of the principal."
    disbursed_at: datetime
    disbursed_to: Text
    closed_at: datetime | None
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
    duplicate_of: Annotated[PyObjectId | None, Reference("payments", why="the event that was booked")]
    paid_at: datetime
    received_at: datetime
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
    channel: ContactChannel
    outcome: ContactOutcome


class CollectionCase(BaseMongoDbDocumentSchema):
    """The work on a loan that was 30 days late."""

    loan_id: LoanId
    customer_id: CustomerId
    customer_name: Text
    "A copy of `customers.name`."
    status: CaseStatus
    opened_at: datetime
    closed_at: datetime | None
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


class Change(Part):
    """One field before and after."""

    field: Text
    before: str | int | None
    after: str | int | None


class AuditEvent(BaseMongoDbDocumentSchema):
    """Who changed what and when; never changed itself."""

    entity: Audited
    "The collection of the document that was changed."
    entity_id: PyObjectId
    at: datetime
    actor_kind: ActorKind
    actor: Text
    "An employee's id, a service's name, or the customer's `_id` in hexadecimal."
    action: Text
    changes: list[Change] = Field(min_length=1, max_length=20)


UP, DOWN = IndexDirection.ASCENDING, IndexDirection.DESCENDING


def _collection(model: type[BaseModel], *indexes: IndexDefinition) -> BaseCollectionSchema:
    return BaseCollectionSchema(document_schema=model, description=model.__doc__ or "", indexes=list(indexes))


def _index(name: str, *keys: tuple[str, IndexDirection], **options: Any) -> IndexDefinition:
    return IndexDefinition(name=name, keys=dict(keys), **options)


database_schema = BaseMongoDbSchema(
    database_name="digital_bank",
    description="Small loans to people and micro-businesses without a credit history.",
    collections={
        "customers": _collection(
            Customer,
            _index("phone", ("phone", UP), unique=True),
            _index("national_id", ("national_id", UP), unique=True),
            _index("email", ("email", UP), unique=True, partial_filter={"email": {"$gt": ""}}),
        ),
        "scores": _collection(Score, _index("customer_scored", ("customer_id", UP), ("scored_at", DOWN))),
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
                partial_filter={"status": "booked"},
            ),
            _index("loan_paid", ("loan_id", UP), ("paid_at", UP)),
            _index("daily_totals", ("status", UP), ("paid_at", UP), ("channel", UP), ("amount", UP)),
        ),
        "collection_cases": _collection(
            CollectionCase,
            _index("one_open", ("loan_id", UP), unique=True, partial_filter={"status": "open"}),
            _index("worklist", ("collector.id", UP), ("opened_at", UP), partial_filter={"status": "open"}),
        ),
        "audit_events": _collection(
            AuditEvent,
            _index("entity_at", ("entity_id", UP), ("at", UP)),
            _index("actor_at", ("actor", UP), ("at", DOWN)),
        ),
    },
)
