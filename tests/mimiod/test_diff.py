"""`mimiod diff A B`: two databases, on one server and on two, and a schema and a database as it is."""

import json
from contextlib import closing
from random import Random

import pytest
from mimiod import mongo
from mimiod.cli import main
from mimiod.evolution.differences import SIDES
from mimiod.inspecting.comparing import compare_documents, read_documents
from mimiod.inspecting.sources import Memory


@pytest.fixture
def mimiod(capsys):
    """Run a command and return its exit code, standard output and standard error."""

    def ran(*arguments):
        with pytest.raises(SystemExit) as exited:
            main([str(each) for each in arguments])
        return exited.value.code, *capsys.readouterr()

    return ran


@pytest.fixture
def other(mongodb_databases):
    """A second database on the server."""
    with mongodb_databases.fresh() as name, closing(mongo.connect(mongodb_databases.url)) as client:
        yield mongo.database(client, name)


def address(trial, database=None):
    return f"{trial.uri.rstrip('/')}/{(database if database is not None else trial.database).name}"


def orders(count, **more):
    return [{"_id": n, "total": n, "items": [{"sku": f"S{n}", "price": 1.5}], **more} for n in range(count)]


def lines(out):
    return [line for line in out.splitlines() if line[:2] in {"+ ", "- ", "~ "}]


def test_two_databases_of_one_server_are_compared(mimiod, trial, other):
    for database in (trial.database, other):
        database["orders"].insert_many(orders(100))
        database["orders"].create_index("total", name="by_total")
    assert mimiod("diff", address(trial), address(trial, other))[0] == 0

    other["orders"].create_index("items.sku", name="by_sku")
    other["orders"].drop_index("by_total")
    other["refunds"].insert_one({"_id": 1})
    trial.database.create_collection("old")
    code, out, err = mimiod("diff", address(trial), address(trial, other))
    assert (code, err) == (1, "")
    assert lines(out) == [
        "- old: the collection is in A only",
        "+ orders: index by_sku over items.sku 1 is in B only",
        "- orders: index by_total over total 1 is in A only",
        "+ refunds: the collection is in B only",
    ]
    assert out.splitlines()[0].startswith(f"A: {trial.database.name} on mongodb://")
    assert out.splitlines()[-1] == "4 differences"


def test_documents_without_a_validator_are_compared_by_field_type_and_presence(mimiod, trial, other):
    trial.database["orders"].insert_many(orders(200, state="new", note=None))
    other["orders"].insert_many(orders(150, state=1))
    other["orders"].insert_many(
        [{"_id": 200 + n, "items": [{"sku": n, "tax": {"rate": 1}}], "state": 1} for n in range(50)]
    )
    _, out, _ = mimiod("diff", address(trial), address(trial, other))
    assert lines(out) == [
        "~ orders: field items[].price: in 100.0% → in 75.0%",
        "~ orders: field items[].sku: string → string 75.0%, int or long 25.0%",
        "+ orders: field items[].tax (object, in 25.0%) is in B only",
        "- orders: field note (null, in 100.0%) is in A only",
        "~ orders: field state: string → int or long",
        "~ orders: field total: in 100.0% → in 75.0%",
    ]
    assert mimiod("diff", address(trial), address(trial, other), "--sample", "0")[0] == 0


@pytest.mark.backend("mongodb")
def test_two_servers_are_compared_and_no_password_is_shown(mimiod, trial, secured_server):
    trial.database["orders"].insert_many(orders(5))
    boss = "boss:p%40ss%2Fw%C3%B6rd"
    with closing(mongo.connect(secured_server.uri(boss))) as client:
        client["shop"]["orders"].insert_many(orders(5, state="new"))
    theirs = secured_server.uri("reader:glasses").replace("/?", "/shop?authSource=admin&")
    code, out, err = mimiod("diff", address(trial), theirs)
    assert (code, lines(out)) == (1, ["+ orders: field state (string, in 100.0%) is in B only"])
    refused = mimiod("diff", address(trial), theirs.replace("/shop?", "/elsewhere?"))
    wrong = mimiod("diff", theirs.replace("glasses", "monocle"), address(trial))
    assert "the role `read` on 'elsewhere'" in refused[2]
    assert (refused[0], wrong[0]) == (1, 1)
    shown = out + err + "".join(map(str, refused + wrong))
    assert not {word for word in ("glasses", "monocle") if word in shown}


def test_documents_are_held_against_a_schema_whichever_comes_first(mimiod, make_project, trial):
    project = make_project()
    mimiod("apply", project, "--uri", trial.uri)
    assert mimiod("diff", project, "--uri", trial.uri)[0] == 0
    people = [{"name": "Ann", "email": f"{n}@x.org"} for n in range(50)]
    people[0]["name"] = 7
    del people[1]["name"]
    people[2]["born"] = "1980"
    trial.database["people"].insert_many(people, bypass_document_validation=True)
    wanted = [
        "- people: field born (string, in 2.0%): not declared",
        "~ people: field name: in 98.0% → required; int in 2.0% → string",
    ]
    for sides in ((project, "--uri", trial.uri), (project, address(trial)), (address(trial), project)):
        code, out, _ = mimiod("diff", *sides)
        assert (code, lines(out)) == (1, wanted)
    assert out.splitlines()[-1].endswith(": 2 differences")


def test_json_says_which_side_is_which(mimiod, trial, other):
    trial.database["orders"].insert_many(orders(30))
    other["orders"].insert_many(orders(30, state="new"))
    code, out, err = mimiod("diff", address(trial), address(trial, other), "--json")
    told = json.loads(out)
    assert (code, err, told["equal"]) == (1, "", False)
    assert told["a"].startswith(trial.database.name)
    assert told["b"].startswith(other.name)
    assert told["differences"] == [{
        "collection": "orders", "kind": "field", "name": "state", "change": "missing",
        "text": "field state (string, in 100.0%) is in B only",
        "have": None, "want": {"presence": 1.0, "types": {"string": 30}},
    }]  # fmt: skip


def compared(one, two, sample):
    sides = [
        read_documents(Memory("m", {"c": each}).collections()[0], sample, lambda *_: None)
        for each in (one, two)
    ]
    return list(compare_documents("c", *sides, SIDES))


def test_chance_makes_no_difference_between_samples_of_the_same():
    draws = Random(4)
    documents = [
        {f"f{n}": draws.choice([1, "a", None]) for n in range(40) if draws.random() < n / 40}
        for _ in range(3000)
    ]
    half = len(documents) // 2
    assert compared(documents[:half], documents[half:], 300) == []
    changed = [{**each, "f9": 1.5} for each in documents]
    assert {each.name for each in compared(documents, changed, 300)} == {"f9"}
    without = [{name: value for name, value in each.items() if name != "f30"} for each in documents]
    assert [(each.name, each.change) for each in compared(documents, without, 300)] == [("f30", "extra")]


def test_what_is_rare_is_a_difference_only_where_all_was_read():
    one = [{"a": n} for n in range(400)]
    two = [{"a": n, **({"b": n} if n % 100 == 7 else {})} for n in range(400)]
    assert [each.name for each in compared(one, two, 400)] == ["b"]
    assert compared(one, two, 399) == []


def test_an_empty_collection_differs_in_no_field():
    assert compared([], [{"a": 1}], 10) == []


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (["mongodb://127.0.0.1:1/x"], "compared with what"),
        (["mongodb://127.0.0.1:1/", "mongodb://127.0.0.1:1/x"], "names no database"),
        (["postgresql://u:secret@h/x", "mongodb://127.0.0.1:1/x"], "cannot be compared"),
        (["mongodb://u:secret@127.0.0.1:1/x?serverSelectionTimeoutMS=50", "y"], "no answer from"),
        (["nowhere", "mongodb://127.0.0.1:1/x"], "nowhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_line(mimiod, sides, said):
    code, out, err = mimiod("diff", *sides)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1
    assert "secret" not in err


def test_what_diff_says_of_a_run_project_is_nothing(make_shop, mimiod, trial):
    project = make_shop()
    assert mimiod("run", project, "--uri", trial.uri)[0] == 0
    assert mimiod("diff", project, "--uri", trial.uri)[0] == 0
