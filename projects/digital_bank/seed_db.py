"""Sample data of the digital bank: one customer's life after another, from registration to the last payment.

A life is a function of the seed and the customer's row, so a customer is the same at every scale. Nothing
lies after the reference time. The shares and distributions are those of `tech_design.md`.
"""

import math
from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar, TypeVar

import bank_draws as draws
import db_schema as bank
from bank_draws import DAY, JAKARTA, MINUTE, SECOND
from mimiod import BaseMongoDbDocumentSchema, DatabaseSeeder, PyObjectId

CUSTOMERS = 1_350
"At scale 1: with what follows from them, about 20,000 documents."
ROOM = 1_000
"For one customer's documents in the numbering of each collection."
MOST_APPLICATIONS = 9
HISTORY = timedelta(days=900)
REJECTED_BELOW, APPROVED_FROM = 555, 589
"Scores between the two go to an underwriter."
CASE_AFTER, WRITE_OFF_AFTER = 30 * DAY, 180 * DAY
HOLIDAYS = 14 * DAY
"Before the reference time, when few underwriters are at work and the queue grows."
COLLECTIONS = {each.document_schema: name for name, each in bank.database_schema.collections.items()}
D = TypeVar("D", bound=BaseMongoDbDocumentSchema)


class DigitalBankSeeder(DatabaseSeeder):
    """Fills the database of the digital bank."""

    locale: ClassVar[str | list[str]] = "id_ID"

    def seed_all_collections(self, num_records: int | None = None) -> dict[str, int]:
        """Insert the lives of so many customers; returns how many documents each collection got."""
        pools = draws.Pools.filled_by(self.faker("pools"))
        lives = [Life(self, pools, row).documents for row in range(num_records or self.scaled(CUSTOMERS))]
        documents = {
            name: [document for life in lives for document in life[name]] for name in COLLECTIONS.values()
        }
        return {name: self.insert(name, documents[name], len(documents[name])) for name in documents}


class Life:
    """One customer and all that follows, as `documents` by collection."""

    def __init__(self, seeder: DigitalBankSeeder, pools: draws.Pools, row: int) -> None:
        self.seeder, self.pools, self.row, self.now = seeder, pools, row, seeder.reference_time
        self.rng = seeder.rng(f"customers/{row}")
        self.documents: dict[str, list[Any]] = {name: [] for name in COLLECTIONS.values()}
        self.ability = self.rng.gauss(0, 1)
        "To repay: what scores, decisions and lateness have in common; it is stored nowhere."
        self.channel = draws.pick(self.rng, draws.PAYMENT_CHANNELS)
        self.customer = customer = self._registration()
        if customer.identity.status == "verified" and customer.identity.checked_at is not None:
            self._score(customer.identity.checked_at, None)
            self._applications(customer.identity.checked_at)
            scores: list[bank.Score] = self.documents["scores"][::-1]
            history = [bank.PastScore.model_validate(score.model_dump()) for score in scores]
            customer.score = bank.CurrentScore(**history[0].model_dump(), history=history[:5])
        customer.home = self._home()
        self._edits()

    def next_id(self, collection: str) -> PyObjectId:
        """Return the id of this customer's next document in a collection."""
        return self.seeder.object_id(collection, self.row * ROOM + len(self.documents[collection]))

    def add(self, model: type[D], **fields: Any) -> D:
        """Make a document and keep it."""
        collection = COLLECTIONS[model]
        document = model(id=self.next_id(collection), **fields)
        self.documents[collection].append(document)
        return document

    def audit(self, entity: D, at: datetime, actor: str, action: str, *changes: tuple[str, Any, Any]) -> None:
        """Note who changed a document; an actor is `kind:id`."""
        kind, _, name = actor.partition(":")
        changed = [bank.Change(field=field, before=before, after=after) for field, before, after in changes]
        where = {"entity": COLLECTIONS[type(entity)], "entity_id": entity.id}
        self.add(bank.AuditEvent, **where, at=at, actor_kind=kind, actor=name, action=action, changes=changed)

    def _registration(self) -> bank.Customer:
        rng, pools, row = self.rng, self.pools, self.row
        # The bank grows: more register later.
        since = HISTORY - (HISTORY - 2 * DAY) * rng.random() ** 0.7
        registered_at = draws.moment(rng, (self.now - since).date())
        today = registered_at.date()
        region = draws.pick(rng, {code: weight for code, (weight, *_) in draws.CITIES.items()})
        _, city, province, postcode = draws.CITIES[region]
        woman = draws.chance(rng, 0.54)
        name = f"{rng.choice(pools.women if woman else pools.men)} {rng.choice(pools.families)}"
        born = today - timedelta(days=rng.randint(19 * 366, 60 * 365))
        # Another district and serial for each of 989,901 rows.
        district, serial = (1 + part for part in divmod((row * 7_919 + 104_729) % (99 * 9_999), 9_999))
        status = draws.pick(rng, {"verified": 92, "refused": 3, "pending": 5})
        similarity = {"verified": rng.uniform(0.9, 0.999), "refused": rng.uniform(0.3, 0.7)}.get(status)
        employer = rng.choice(pools.companies) if draws.chance(rng, 0.4) else None
        mailbox = f"{''.join(filter(str.isalpha, name.lower()))}.{row}@example.com"
        return self.add(
            bank.Customer,
            schema_version=len({since for _, since, _ in draws.ALTERNATIVE_DATA.values() if since <= today}),
            national_id=f"{region}{district:02}{born.day + 40 * woman:02}{born:%m%y}{serial:04}",
            name=name,
            phone=f"+628{rng.choice((12, 13, 21, 52, 57, 77, 96))}{(row * 48_271 + 10_007) % 10**8:08}",
            email=mailbox if draws.chance(rng, 0.7) else None,
            born_on=datetime.combine(born, time(), UTC),
            address=bank.Address(
                street=rng.choice(pools.streets),
                city=city,
                province=province,
                postcode=f"{postcode}{rng.randint(100, 999)}",
            ),
            identity=bank.Identity(
                status=status,
                selfie_similarity=similarity and round(similarity, 3),
                checked_at=None if status == "pending" else registered_at + rng.randint(120, 1_800) * SECOND,
            ),
            occupation=rng.choice(draws.EMPLOYED if employer else draws.OWN_BUSINESS),
            employer=employer,
            monthly_income=draws.log_normal(rng, 4_500_000, 0.45, 1_000_000, 40_000_000, 10_000),
            registered_at=registered_at,
            alternative_data={
                kind: seen(rng, self.ability)
                for kind, (share, since, seen) in draws.ALTERNATIVE_DATA.items()
                if rng.random() < share and since <= today
            },
            score=None,
            home=bank.Home(loan=None, application=None, loans_repaid=0),
        )

    def _score(self, at: datetime, application_id: PyObjectId | None) -> bank.Score:
        """Make a score; each loan that was repaid lifts it."""
        rng, kinds = self.rng, self.customer.alternative_data
        repaid = sum(loan.status == "repaid" for loan in self.documents["loans"])
        return self.add(
            bank.Score,
            customer_id=self.customer.id,
            application_id=application_id,
            value=min(850, max(300, round(rng.gauss(574 + 60 * self.ability + 8 * repaid, 25)))),
            model_version=f"risk-{at.year}.{(at.month + 2) // 3}",
            scored_at=at,
            influences={kind: round(rng.gauss(9 * self.ability, 12)) for kind in kinds},
        )

    def _applications(self, since: datetime) -> None:
        """Apply, and again after a refusal or a loan repaid, up to the present."""
        rng, likely, wait = self.rng, 0.8, draws.wait(self.rng, 0, 10)
        for _ in range(MOST_APPLICATIONS):
            day = (since + wait).astimezone(JAKARTA).date()
            day = draws.payday(rng, day) if draws.chance(rng, 0.35) else day
            applied_at = max(draws.moment(rng, day), since + 30 * MINUTE)
            if rng.random() > likely or applied_at > self.now - 60 * MINUTE:
                return
            application = self._application(applied_at)
            if application.status == "disbursed":
                loan: bank.Loan = self.documents["loans"][-1]
                if loan.status != "repaid" or loan.closed_at is None:
                    return
                since, likely, wait = loan.closed_at, 0.65, draws.wait(rng, 3, 30)
            elif application.decision is None or application.status == "approved":
                return
            else:
                since, likely, wait = application.decision.decided_at, 0.5, draws.wait(rng, 30, 45)

    def _application(self, applied_at: datetime) -> bank.LoanApplication:
        rng, id_ = self.rng, self.next_id("loan_applications")
        score = self._score(applied_at + rng.randint(2, 15) * SECOND, id_)
        requested = draws.log_normal(rng, 6_200_000, 0.6, *draws.AMOUNTS)
        frequency = draws.pick(rng, draws.FREQUENCIES)
        approved, by_hand = score.value >= APPROVED_FROM, REJECTED_BELOW <= score.value < APPROVED_FROM
        decided_at = score.scored_at + draws.log_normal(rng, 60, 0.8, 10, 480, 1) * SECOND
        queue = None
        if by_hand:
            queue, decided_at = self._queue(score.scored_at + SECOND)
            approved = draws.chance(rng, 0.55)
        decided = queue is None or queue.queue_status == "done"
        granted = draws.log_normal(rng, requested * rng.choice((1, 1, 1, 0.75)), 0, *draws.AMOUNTS)
        paid_out_at = decided_at + draws.log_normal(rng, 60, 1.2, 5, 4_000, 1) * MINUTE
        if not decided:
            status = "in_review"
        elif not approved:
            status = "rejected"
        elif draws.chance(rng, 0.92):
            status = "disbursed" if paid_out_at <= self.now else "approved"
        else:  # an offer stands for a week
            status = "lapsed" if decided_at + 7 * DAY <= self.now else "approved"
        decision = bank.Decision(
            outcome="approved" if approved else "rejected",
            method="underwriter" if by_hand else "automatic",
            decided_at=decided_at,
            model_version=score.model_version,
            score=score.value,
            reasons=_reasons(score, approved=approved, by_hand=by_hand),
            approved_amount=granted if approved else None,
        )
        application = self.add(
            bank.LoanApplication,
            number=f"APP-{applied_at:%y%m}-{self.row * 10 + len(self.documents['loan_applications']):07}",
            customer_id=self.customer.id,
            customer_name=self.customer.name,
            channel=draws.pick(rng, draws.APPLICATION_CHANNELS),
            purpose=draws.pick(rng, draws.PURPOSES),
            requested_amount=requested,
            instalments=rng.choice(draws.INSTALMENTS[frequency]),
            frequency=frequency,
            applied_at=applied_at,
            status=status,
            underwriting=queue,
            decision=decision if decided else None,
        )
        service = f"system:{score.model_version}"
        if queue is not None:
            self.audit(application, queue.queued_at, service, "referred", ("status", "received", "in_review"))
        if decided:
            actor = f"employee:{queue.underwriter.id}" if queue and queue.underwriter else service
            before = "in_review" if queue else "received"
            self.audit(application, decided_at, actor, "decided", ("status", before, decision.outcome))
        if status == "lapsed":
            lapsed_at = decided_at + 7 * DAY
            self.audit(application, lapsed_at, "system:offers", "lapsed", ("status", "approved", status))
        if status == "disbursed":
            self._loan(application, granted, score.value, paid_out_at)
        return application

    def _queue(self, queued_at: datetime) -> tuple[bank.Underwriting, datetime]:
        """Return where an application stands in the queue, and when it is decided on."""
        rng = self.rng
        hours = draws.log_normal(rng, 20, 0.8, 1, 150, 1) * (20 if queued_at > self.now - HOLIDAYS else 1)
        decided_at = queued_at + hours * 60 * MINUTE + rng.randint(1, 3_599) * SECOND
        status = "done"
        if decided_at > self.now:  # the oldest are taken up first
            status = "assigned" if queued_at < self.now - HOLIDAYS / 2 else "waiting"
        underwriter = None if status == "waiting" else rng.choice(self.pools.underwriters)
        queue = bank.Underwriting(queue_status=status, queued_at=queued_at, underwriter=underwriter)
        return queue, decided_at

    def _loan(
        self, application: bank.LoanApplication, principal: int, score: int, disbursed_at: datetime
    ) -> None:
        """Pay out a loan and let it be repaid, or not."""
        rng, parts = self.rng, application.instalments
        rate = min(500, max(200, 900 - score))
        months = math.ceil(parts * draws.PERIOD_DAYS[application.frequency] / 30)
        total = principal + principal * rate * months // 1_000_000 * 100
        each = total // parts // 100 * 100
        first = disbursed_at.astimezone(JAKARTA).date()
        instalments = [
            bank.Instalment(
                number=number,
                due_at=draws.end_of(draws.due_day(first, application.frequency, number)),
                amount=each if number < parts else total - each * (parts - 1),
                paid_amount=0,
                paid_at=None,
                status="open",
            )
            for number in range(1, parts + 1)
        ]
        loan_id = self.next_id("loans")
        self._payments(loan_id, instalments, disbursed_at)
        unpaid = [part for part in instalments if part.status == "open"]
        status, closed_at, days_late = "active", None, 0
        if not unpaid:
            status, closed_at = "repaid", instalments[-1].paid_at
        elif draws.night_after(unpaid[0].due_at, WRITE_OFF_AFTER) <= self.now:
            status, closed_at = "written_off", draws.night_after(unpaid[0].due_at, WRITE_OFF_AFTER)
        elif unpaid[0].due_at < self.now:
            status = "late"
        if unpaid:
            days_late = max(0, (draws.day_of(closed_at or self.now) - draws.day_of(unpaid[0].due_at)).days)
        for part in unpaid if status == "written_off" else ():
            part.status = "written_off"
        repaid = sum(part.paid_amount for part in instalments)
        loan = self.add(
            bank.Loan,
            number=application.number.replace("APP", "LN"),
            customer_id=self.customer.id,
            customer_name=self.customer.name,
            application_id=application.id,
            status=status,
            principal=principal,
            interest=total - principal,
            total_due=total,
            repaid=repaid,
            outstanding=total - repaid,
            days_past_due=days_late,
            next_due_at=unpaid[0].due_at if unpaid and closed_at is None else None,
            frequency=application.frequency,
            monthly_rate_bps=rate,
            disbursed_at=disbursed_at,
            disbursed_to=rng.choice(draws.PAYOUTS),
            closed_at=closed_at,
            instalments=instalments,
        )
        change = ("status", "approved", "disbursed")
        self.audit(application, disbursed_at, "system:payout", "disbursed", change)
        self.audit(loan, disbursed_at, "system:payout", "disbursed", ("status", None, "active"))
        if closed_at is not None:
            before = "late" if unpaid or closed_at > instalments[-1].due_at else "active"
            self.audit(loan, closed_at, "system:ledger", status, ("status", before, status))
        self._cases(loan)

    def _payments(self, loan_id: PyObjectId, instalments: list[bank.Instalment], earliest: datetime) -> None:
        """Pay one instalment after another until the present, or until the customer stops."""
        rng = self.rng
        stops = rng.random() < 1 / (1 + math.exp(2.6 + 0.7 * self.ability))
        for part in instalments[: rng.randrange(len(instalments)) if stops else None]:
            late = rng.random() < min(0.5, max(0.03, 0.2 - 0.06 * self.ability))
            days = draws.log_normal(rng, 6, 0.9, 1, 50, 1) if late else -rng.choice((0, 0, 0, 1, 1, 2, 3))
            day = draws.day_of(part.due_at) + days * DAY
            split = draws.chance(rng, 0.08)
            first = part.amount * rng.randint(30, 70) // 100_000 * 1_000 if split else part.amount
            for amount in filter(None, (first, part.amount - first)):
                paid_at = max(draws.moment(rng, day), earliest + MINUTE)
                if not self._payment(loan_id, part.number, amount, paid_at):
                    return
                part.paid_amount += amount
                earliest, day = paid_at, day + rng.randint(1, 6) * DAY
            part.paid_at, part.status = earliest, "paid"

    def _payment(self, loan_id: PyObjectId, instalment: int, amount: int, paid_at: datetime) -> bool:
        """Let the event of a payment arrive, sometimes twice; returns whether it did by now."""
        rng = self.rng
        channel = self.channel if draws.chance(rng, 0.8) else draws.pick(rng, draws.PAYMENT_CHANNELS)
        received_at = paid_at + rng.randint(*draws.ARRIVES_AFTER[channel]) * SECOND
        if received_at > self.now:
            return False
        payment = self.add(
            bank.Payment,
            loan_id=loan_id,
            instalment=instalment,
            amount=amount,
            channel=channel,
            provider=rng.choice(draws.PROVIDERS[channel]),
            external_reference=f"{paid_at:%Y%m%d}-{self.row:07}{len(self.documents['payments']):03}",
            status="booked",
            duplicate_of=None,
            paid_at=paid_at,
            received_at=received_at,
        )
        again_at = received_at + draws.log_normal(rng, 300, 1.5, 1, 86_400, 1) * SECOND
        if draws.chance(rng, 0.02) and again_at <= self.now:
            again = {"status": "duplicate", "duplicate_of": payment.id, "received_at": again_at}
            self.add(bank.Payment, **payment.model_dump(exclude={"id"}) | again)
        return True

    def _cases(self, loan: bank.Loan) -> None:
        """Open a case for each time in which an instalment was 30 days late, or more."""
        spans: list[tuple[datetime, datetime | None]] = []
        for part in loan.instalments:
            opened_at, ended_at = draws.night_after(part.due_at, CASE_AFTER), part.paid_at or loan.closed_at
            if opened_at > self.now or (ended_at and ended_at <= opened_at):
                continue
            if spans and (spans[-1][1] is None or opened_at <= spans[-1][1]):
                opened_at, before = spans.pop()
                ended_at = max(ended_at, before) if ended_at and before else None
            spans.append((opened_at, ended_at))
        for opened_at, closed_at in spans:
            self._case(loan, opened_at, closed_at)

    def _case(self, loan: bank.Loan, opened_at: datetime, closed_at: datetime | None) -> None:
        rng, contacts = self.rng, []
        at = opened_at + rng.randint(8 * 60, 16 * 60) * MINUTE
        while at < (closed_at or self.now):
            channel = draws.pick(rng, draws.CONTACT_CHANNELS)
            contacts.append(
                bank.Contact(at=at, channel=channel, outcome=draws.pick(rng, draws.CONTACT_OUTCOMES))
            )
            at = draws.moment(rng, draws.day_of(at) + rng.randint(3, 9) * DAY, range(9, 18))
        lost = loan.status == "written_off" and closed_at == loan.closed_at
        case = self.add(
            bank.CollectionCase,
            loan_id=loan.id,
            customer_id=self.customer.id,
            customer_name=self.customer.name,
            status="open" if closed_at is None else "written_off" if lost else "cured",
            opened_at=opened_at,
            closed_at=closed_at,
            collector=rng.choice(self.pools.collectors),
            contacts=contacts,
        )
        self.audit(case, opened_at, "system:collections", "opened", ("status", None, "open"))
        if closed_at is not None:
            self.audit(case, closed_at, "system:collections", "closed", ("status", "open", case.status))

    def _home(self) -> bank.Home:
        """Return the copy of the last loan and application, where they are not over."""
        loans: list[bank.Loan] = self.documents["loans"]
        applications: list[bank.LoanApplication] = self.documents["loan_applications"]
        home = bank.Home(
            loan=None, application=None, loans_repaid=sum(loan.status == "repaid" for loan in loans)
        )
        if loans and loans[-1].next_due_at is not None:
            loan = loans[-1]
            due = next(part for part in loan.instalments if part.status == "open")
            home.loan = bank.HomeLoan(
                loan_id=loan.id,
                next_due_amount=due.amount - due.paid_amount,
                **loan.model_dump(exclude={"id"}),
            )
        if applications and applications[-1].status in {"in_review", "approved"}:
            last = applications[-1]
            home.application = bank.HomeApplication(
                application_id=last.id, number=last.number, status=last.status
            )
        return home

    def _edits(self) -> None:
        """Note the result of the identity check, and now and then another telephone."""
        rng, customer = self.rng, self.customer
        if customer.identity.checked_at is not None:
            change = ("identity.status", "pending", customer.identity.status)
            self.audit(customer, customer.identity.checked_at, "system:identity", "identity_checked", change)
        if draws.chance(rng, 0.15):
            at = customer.registered_at + rng.random() * (self.now - customer.registered_at)
            old = f"+62899{rng.randrange(10**8):08}"
            actor = f"customer:{customer.id}"
            self.audit(customer, at.replace(microsecond=0), actor, "edited", ("phone", old, customer.phone))


def _reasons(score: bank.Score, *, approved: bool, by_hand: bool) -> list[str]:
    """Return what spoke for a decision: the strongest influences of its direction, and the rule."""
    rule = "reviewed by hand" if by_hand else f"score {'above' if approved else 'below'} threshold"
    ranked = sorted(score.influences.items(), key=lambda each: each[1], reverse=approved)
    return [rule, *(kind for kind, points in ranked[:3] if (points > 0) == approved)]
