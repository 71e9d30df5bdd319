"""`mimiod diff` and `mimiod apply` as a person or a machine meets them."""

import json

import pytest
from mimiod.cli import main

HOSTILE = "\x1b[31m[bold]red"


@pytest.fixture
def project(make_project):
    return make_project()


@pytest.fixture
def mimiod(project, trial, capsys):
    """Run a command on the project; returns exit code, standard output and standard error."""

    def ran(command, *options):
        with pytest.raises(SystemExit) as exited:
            main([command, str(project), "--uri", trial.uri, *options])
        out, err = capsys.readouterr()
        return exited.value.code, out, err

    return ran


def change(project, old, new):
    file = project / "db_schema.py"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_diff_exits_1_with_a_line_each_until_it_is_applied(mimiod, project, trial):
    code, out, _ = mimiod("diff")
    assert (code, out.splitlines()[0]) == (1, "+ orders: the collection is missing")

    assert mimiod("apply")[0] == 0
    code, out, _ = mimiod("diff")
    assert code == 0
    assert out.endswith(": as declared\n")

    change(project, "    name: str\n", "    name: str\n    age: int\n")
    code, out, _ = mimiod("diff")
    assert code == 1
    assert "~ people: field age: optional → required\n" in out
    assert "+ people: field age (int or long): not described yet\n" in out
    assert out.endswith(": 2 differences\n")


def test_a_dry_run_changes_nothing_and_says_what_would_be_done(mimiod, trial):
    code, out, _ = mimiod("apply", "--dry-run")

    assert code == 0
    assert "would      people: create the collection\n" in out
    assert "would      people: create index email_1 over email 1\n" in out
    assert out.endswith(": 4 to do\n")
    assert trial.database.list_collection_names() == []


def test_a_second_apply_has_nothing_to_do(mimiod):
    assert mimiod("apply")[1].endswith(": 4 done\n")
    code, out, _ = mimiod("apply")

    assert code == 0
    assert out.endswith(": nothing to do\n")


def test_documents_in_the_way_are_named_with_what_to_do_next(mimiod, project, trial):
    mimiod("apply")
    mended = trial.database.people.insert_one({"name": "Ann", "email": "a"}).inserted_id
    change(project, "    name: str\n", "    name: str\n    age: int\n")

    code, out, _ = mimiod("apply")
    assert code == 1
    assert (
        f"DATA FIRST people: change the validator (2 differences): 1 document would be refused (_id {mended}"
        in out
    )
    assert "age is missing" in out
    assert out.endswith(": nothing to do, 1 left to do by hand\n")

    code, out, _ = mimiod("apply", "--level", "moderate")
    assert code == 0
    assert "done       people: change the validator (2 differences) at level moderate" in out


def test_extra_indexes_go_with_the_flag_only(mimiod, trial):
    mimiod("apply")
    trial.database.people.create_index("name", name="extra")

    code, out, _ = mimiod("apply")
    assert code == 0
    assert "kept       people: drop index extra over name 1: --drop-indexes drops it\n" in out
    assert mimiod("apply", "--drop-indexes")[0] == 0
    assert "extra" not in trial.database.people.index_information()


def test_json_is_one_document_for_machines(mimiod, trial):
    code, out, err = mimiod("diff", "--json")
    found = json.loads(out)
    assert (code, err, found["equal"]) == (1, "", False)
    assert found["database"] == trial.database.name
    assert found["differences"][0] == {
        "collection": "orders", "kind": "collection", "name": "", "change": "missing",
        "text": "the collection is missing", "have": None, "want": None,
    }  # fmt: skip

    code, out, err = mimiod("apply", "--json")
    applied = json.loads(out)
    assert (code, err, applied["passed"], applied["left"]) == (0, "", True, [])
    assert [step["state"] for step in applied["steps"]] == ["done"] * 4
    assert json.loads(mimiod("diff", "--json")[1])["equal"] is True


def test_hostile_names_are_shown_and_move_no_cursor(mimiod, trial):
    mimiod("apply")
    trial.database[HOSTILE].insert_one({})
    trial.database.people.create_index([(HOSTILE, 1)], name=HOSTILE)
    schema = {"properties": {HOSTILE: {"bsonType": "int", "enum": [HOSTILE]}}, "required": [HOSTILE]}
    hostile = {"validator": {"$jsonSchema": schema}, "validationLevel": "off"}
    trial.database.command("collMod", "people", **hostile)
    trial.database.people.insert_one({"_id": HOSTILE, HOSTILE: HOSTILE})

    for command in ("diff", "apply"):
        _, out, _ = mimiod(command)
        assert "\x1b" not in out
        assert r"\u001b[31m[bold]red" in out
        assert out.replace("\n", "").isprintable()


def test_a_server_that_does_not_answer_is_one_clear_line(project, capsys):
    for command in ("diff", "apply"):
        with pytest.raises(SystemExit) as exited:
            main(
                [
                    command,
                    str(project),
                    "--uri",
                    "mongodb://ann:s3cret@127.0.0.1:9/?serverSelectionTimeoutMS=200",
                ]
            )
        err = capsys.readouterr().err
        assert exited.value.code == 1
        assert err.count("\n") == 1
        assert "s3cret" not in err
