"""The generated sections of README.md: complete, safe, stable, and compared with the schema."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from mimiod import BaseCollectionSchema, BaseMongoDbSchema, IndexDefinition
from mimiod.cli import main
from mimiod.errors import ReadmeError
from mimiod.projects import load_project
from mimiod.reporting import readme, sections
from mimiod.reporting.entities import entities_of
from mimiod.reporting.fields import fields_of
from mimiod.reporting.markdown import code, mermaid, prose
from mimiod.reporting.sections import SECTIONS

from tests.mimiod.reported import HOSTILE, Page, hostile_schema, plain
from tests.mimiod.rule_blog import blog

PROJECT = Path(__file__).parents[2] / "projects/digital_bank"
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
TRICKY = st.text(
    st.sampled_from("ab1 .:/_*`|<>&#-+=~\\[]()!$\n\"'")
    | st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]),
    max_size=20,
)
ALLOWED = (
    r"```(mermaid)?",
    r"erDiagram",
    r'    [A-Za-z][\w-]* (\|\||\|o|\}o)--(o\||o\{) [A-Za-z][\w-]* : "[\w .,:*$/()-]*"',
    r'    [A-Za-z][\w-]*(\["[\w .,:*$/()-]*"\])? \{',
    r"        id _id PK",
    r'        reference [A-Za-z]\w* FK "[\w .,:*$/()-]*"',
    r'        embedded [A-Za-z]\w* "[\w .,:*$/()-]*"',
    r"    \}",
)


def rendered(markdown):
    return Page(MARKDOWN.render(markdown))


def small(*indexes, **facts):
    things = BaseCollectionSchema(
        json_schema={"bsonType": "object", "properties": {"n": {"bsonType": "int"}}}, indexes=list(indexes)
    )
    return BaseMongoDbSchema(database_name="shop", collections={"things": things}, **facts)


@pytest.mark.parametrize("schema", [load_project(PROJECT).schema, blog], ids=["digital_bank", "blog"])
def test_every_collection_field_index_and_query_stands_in_it(schema):
    shown = rendered(sections.document(schema)).text

    for collection in schema.collections.values():
        assert collection.collection_name in shown
        assert plain(collection.description) in shown.replace("`", "") or "`" in collection.description
        for path in (field.path for field in fields_of(collection)):
            assert path in shown
        for index in collection.indexes:
            assert index.name in shown
    for query in schema.workload:
        assert query.name in shown


def test_hostile_texts_stay_text_in_markdown():
    text = sections.document(hostile_schema("shop"))
    shown = rendered(text)

    assert shown.faults == []
    assert {tag for tag, _ in shown.tags}.isdisjoint({"script", "img", "a", "em", "del"})
    assert [tag for tag, _ in shown.tags].count("h2") == len(SECTIONS)
    assert [tag for tag, _ in shown.tags].count("tr") == len(re.findall(r"^\| ", text, re.MULTILINE))
    for hostile in HOSTILE:
        if "`" not in hostile:
            assert shown.text.count(plain(hostile)) >= 3


@given(TRICKY)
def test_prose_is_shown_as_it_is(text):
    for place in (prose(text), f"| a |\n|---|\n| {prose(text)} |"):
        page = rendered(place)
        if "`" not in text and text.strip():
            assert page.text.removeprefix("a ") == plain(text)
        tags = {tag for tag, _ in page.tags}
        assert tags <= {"p", "code", "table", "thead", "tbody", "tr", "th", "td"}


@given(TRICKY)
def test_code_is_shown_as_it_is(text):
    page = rendered(f"| a |\n|---|\n| {code(text)} |")

    assert plain(page.text.removeprefix("a")) == plain(text)
    assert [tag for tag, _ in page.tags].count("td") == 1


@given(st.lists(st.tuples(TRICKY, TRICKY), min_size=1, max_size=4, unique_by=lambda pair: pair[0]))
def test_mermaid_has_no_syntax_but_its_own(pairs):
    collections = {
        name or "x": BaseCollectionSchema(
            json_schema={"bsonType": "object", "properties": {path: {"bsonType": "object", "properties": {}}}}
        )
        for name, path in pairs
    }
    schema = BaseMongoDbSchema(database_name="shop", collections=collections)

    for line in mermaid(entities_of(schema)):
        assert any(re.fullmatch(allowed, line) for allowed in ALLOWED), line


def test_sections_are_written_and_found_to_be_right(tmp_path):
    schema = small(IndexDefinition(keys={"n": 1}, name="by_n"))

    assert [each.where for each in readme.compare(tmp_path, schema, "shop")] == ["README.md"]
    assert readme.write(tmp_path, schema) == [section.name for section in SECTIONS]
    assert list(readme.compare(tmp_path, schema, "shop")) == []
    assert readme.write(tmp_path, schema) == []


def test_a_changed_schema_makes_its_sections_stale_and_no_others(tmp_path):
    readme.write(tmp_path, small(IndexDefinition(keys={"n": 1}, name="by_n")))
    (finding,) = readme.compare(tmp_path, small(IndexDefinition(keys={"n": 1}, name="renamed")), "shop")

    assert (finding.rule, finding.severity, finding.where) == ("readme-stale", "warning", "README.md:indexes")
    assert "is not what the schema says today" in finding.text
    assert "`mimiod report shop --readme`" in finding.mend
    text = (tmp_path / "README.md").read_text()
    assert text.splitlines()[finding.line - 1] == "<!-- mimiod:begin indexes -->"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_section_that_was_removed_is_missed_and_comes_back(tmp_path, section):
    schema = small()
    readme.write(tmp_path, schema)
    file = tmp_path / "README.md"
    file.write_text(
        re.sub(rf"<!-- mimiod:begin {section.name} .*mimiod:end {section.name} -->\n", "", file.read_text(),
               flags=re.DOTALL)
    )  # fmt: skip

    assert [each.text for each in readme.compare(tmp_path, schema, "shop")] == [
        f"the section {section.name!r} is missing"
    ]
    assert readme.write(tmp_path, schema) == [section.name]
    assert list(readme.compare(tmp_path, schema, "shop")) == []


@given(st.lists(st.text(st.sampled_from("ab #|`\n\r\té") | st.characters(codec="utf-8"), max_size=30),
                min_size=3, max_size=3), st.sampled_from(["\n", "\r\n"]))  # fmt: skip
def test_what_stands_outside_of_the_markers_is_left_to_the_byte(tmp_path_factory, parts, newline):
    folder = tmp_path_factory.mktemp("readme")
    before, between, after = parts
    markers = [[f"<!-- mimiod:{end} {section.name} -->" for end in ("begin", "end")] for section in SECTIONS]
    held = [newline.join(["", begin, "old", end, ""]) for begin, end in markers]
    file = folder / "README.md"
    file.write_bytes((before + between.join(held) + after).encode())

    readme.write(folder, small())

    pieces = re.split(
        rb"(<!-- mimiod:begin \w+ -->\r?\n.*?<!-- mimiod:end \w+ -->)", file.read_bytes(), flags=re.DOTALL
    )
    outside = b"".join(pieces[::2])
    assert outside == (before + newline + (newline + between + newline) * 4 + newline + after).encode()
    assert list(readme.compare(folder, small(), "shop")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<!-- mimiod:end indexes -->", ""),
        ("<!-- mimiod:begin indexes -->", ""),
        ("<!-- mimiod:end indexes -->", "<!-- mimiod:end indexes -->\n<!-- mimiod:end indexes -->"),
    ],
)
def test_markers_that_do_not_match_are_found_and_nothing_is_written(tmp_path, old, new):
    readme.write(tmp_path, small())
    file = tmp_path / "README.md"
    file.write_text(broken := file.read_text().replace(old, new))

    (finding,) = readme.compare(tmp_path, small(), "shop")
    assert "end markers of the section 'indexes'" in finding.text
    with pytest.raises(ReadmeError, match="needs one of each"):
        readme.write(tmp_path, small(volumes={"things": 3}))
    assert file.read_text() == broken


def test_a_file_that_is_no_text_is_found_and_left(tmp_path):
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")

    assert "not UTF-8" in next(readme.compare(tmp_path, small(), "shop")).text
    with pytest.raises(ReadmeError, match="not UTF-8"):
        readme.write(tmp_path, small())


def test_the_banks_readme_says_what_its_schema_says():
    project = load_project(PROJECT)

    assert [str(each) for each in readme.compare(PROJECT, project.schema, project.name)] == []


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    return ended.value.code, *capsys.readouterr()


def test_the_check_complains_until_the_readme_is_written(capsys, make_project, mongodb):
    folder = make_project()
    run(capsys, "run", folder, "--uri", mongodb.uri)

    def stale():
        report = json.loads(run(capsys, "check", folder, "--uri", mongodb.uri, "--json")[1])
        return [each["where"] for each in report["findings"] if each["rule"] == "readme-stale"]

    (folder / "README.md").write_text("# Shop\n\nMy words.\n")
    assert stale() == [f"README.md:{section.name}" for section in SECTIONS]
    code_, said, _ = run(capsys, "report", folder, "--readme")
    assert (code_, said) == (
        0,
        f"{folder / 'README.md'}: wrote diagram, collections, indexes, workload, volumes\n",
    )
    assert (folder / "README.md").read_text().startswith("# Shop\n\nMy words.\n\n## Diagram\n")
    assert stale() == []


def test_markdown_needs_no_server(capsys, make_project, tmp_path):
    folder = make_project()

    code_, said, _ = run(capsys, "report", folder, "--markdown", "--uri", "mongodb://127.0.0.1:1")
    assert code_ == 0
    assert said == sections.document(load_project(folder).schema)
    run(capsys, "report", folder, "--markdown", "--out", tmp_path / "deep" / "shop.md")
    assert (tmp_path / "deep" / "shop.md").read_text() == said
