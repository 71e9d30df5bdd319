"""The design rules: a good design breaks none, and each change for the worse is noticed by its rule."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from mimiod.checking.findings import accepted
from mimiod.checking.rules import RULES, Context, findings, named
from mimiod.cli.rules import markdown
from mimiod.errors import UnknownRuleError

from tests.mimiod.rule_blog import blog
from tests.mimiod.rule_changes import forget, put
from tests.mimiod.rule_shop import QUERIES, good_shop
from tests.mimiod.rule_table import MUTATIONS, measure, report, total

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def measured(tmp_path_factory, worker_id):
    """What was found of each rule: by one of the processes that pytest-xdist starts, for all of them."""
    if worker_id == "master":
        return measure()
    kept = tmp_path_factory.getbasetemp().parent / "rules"
    with FileLock(f"{kept}.lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(measure()))
    return pickle.loads(kept.read_bytes())


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "mimiod", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_good_design_breaks_no_rule():
    assert [str(finding) for finding in findings(good_shop().context())] == []


def test_another_good_design_breaks_no_rule_either():
    assert [str(finding) for finding in findings(Context(blog))] == []


def test_the_order_of_declaration_does_not_matter():
    shop = good_shop()
    for parts in (shop.models, shop.fields, shop.workload, *shop.fields.values()):
        turned = dict(reversed(parts.items()))
        parts.clear()
        parts.update(turned)
    for indexes in shop.indexes.values():
        indexes.reverse()

    assert [str(finding) for finding in findings(shop.context())] == []


def test_the_rules_are_right_about_the_mutations(measured):
    whole = total(measured)

    assert whole.precision >= 0.95, whole.false
    assert whole.recall >= 0.95, whole.missed


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_right_about_the_mutations(measured, rule):
    row = measured[rule]

    assert row.mutations > 0, "no mutation breaks it"
    assert row.precision >= 0.95, row.false
    assert row.recall >= 0.95, row.missed


def test_every_family_is_broken_in_twenty_ways_and_changed_without_harm():
    families = {rule.family for rule in RULES.values()}

    assert families == MUTATIONS.keys()
    for family, mutations in MUTATIONS.items():
        breaking = [mutation for mutation in mutations if mutation.rules]
        assert len(breaking) >= 20, family
        assert len(mutations) - len(breaking) >= 5, family
        assert {RULES[rule].family for mutation in breaking for rule in mutation.rules} == {family}


def test_the_table_names_every_rule(measured):
    lines = report(measured).splitlines()

    assert {line.split(" | ")[0].removeprefix("| ") for line in lines[2:]} >= RULES.keys()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_each_rule_says_what_a_reader_needs(rule):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
    assert rule.severity in {"error", "warning", "note"}
    assert rule.looks_at
    assert set(rule.looks_at) <= {"schema", "workload", "data", "explain"}
    assert all([rule.what, rule.reason, rule.example, rule.mend])
    assert rule.page.startswith("https://www.mongodb.com/docs/manual/")
    assert rule.page.endswith("/")


def test_rules_that_need_the_workload_are_silent_without_one():
    shop = good_shop()
    forget(*(query.name for query in QUERIES))(shop)

    found = {finding.rule for finding in findings(Context(shop.context().schema))}

    assert found == {"no-workload"}


def test_a_finding_is_accepted_by_rule_and_field():
    shop = good_shop()
    put("products", tags=list[str], photos=list[str])(shop)

    left, suppressed = accepted(
        findings(shop.context()), {"unbounded-array:products.tags": "ten, by the form"}
    )

    assert [(each.rule, each.where) for each in left] == [("unbounded-array", "products.photos")]
    assert [each.reason for each in suppressed] == ["ten, by the form"]


def test_a_finding_says_where_what_and_how_to_mend():
    shop = good_shop()
    put("products", tags=list[str])(shop)

    (finding,) = findings(shop.context())

    assert finding.where == "products.tags"
    assert str(finding).startswith(
        "warning unbounded-array at products.tags: the array has no bound; give it"
    )
    assert finding.mend == RULES["unbounded-array"].mend


def test_an_unknown_rule_names_those_that_are_spelt_alike():
    with pytest.raises(UnknownRuleError, match="did you mean unbounded-array") as raised:
        named("unbound-arrays")

    assert raised.value.rule == "unbound-arrays"
    assert "unbounded-array" in raised.value.nearest


def test_the_command_lists_the_rules_for_machines():
    listed = [json.loads(line) for line in run("rules", "--json").stdout.splitlines()]

    assert [line["id"] for line in listed] == list(RULES)
    assert listed[0].keys() >= {"severity", "looks_at", "reason", "mend", "page", "threshold"}


def test_the_command_teaches_a_rule():
    taught = run("explain", "long-array").stdout

    for part in (
        "long-array",
        "warning",
        "1,000 elements",
        RULES["long-array"].mend,
        RULES["long-array"].page,
    ):
        assert part in taught


def test_the_command_refuses_an_unknown_rule_in_one_line():
    refused = run("explain", "long-arrays")

    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert "did you mean long-array" in refused.stderr


def test_the_documentation_is_what_the_command_writes():
    assert (ROOT / "docs/rules.md").read_text() == markdown()
