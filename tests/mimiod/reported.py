"""What the tests of the report share: a design full of hostile texts, a reader of pages, a listener."""

from html.parser import HTMLParser

from mimiod.schema_types import (
    BaseCollectionSchema,
    BaseMongoDbSchema,
    IndexDefinition,
    Query,
    Sample,
)

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]> </style> --> </title>",
    "a | b\n# not a heading\n\n```\n- nor a list",
    '}o--|| "x" : y %% {{7*7}} {% raw %}',
    "<!-- mimiod:end collections -->",
    "[link](javascript:alert(1)) ![i](https://example.com/i.png) *bold* _under_ ~~gone~~",
)

VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}
REMOTE = {"href", "src", "srcset", "action", "data", "poster", "xlink:href", "background"}


class Silent:
    """A listener that remembers the phases."""

    def __init__(self):
        self.phases, self.counts = [], []

    def phase(self, text):
        self.phases.append(text)

    def progress(self, done, total):
        self.counts.append((done, total))


class Page(HTMLParser):
    """A page as a browser that forgives nothing would read it."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.faults, self.parts = [], [], [], []
        self.feed(text)
        self.close()
        self.faults += [f"{tag} is not closed" for tag in self.open]

    @property
    def text(self):
        return " ".join("".join(self.parts).split())

    def attributes(self, name):
        return [facts[name] for _, facts in self.tags if name in facts]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"{tag} closes what is not open, at {self.getpos()}")

    def handle_data(self, data):
        self.parts.append(data)


def plain(text):
    """The text as it is shown: on one line."""
    return " ".join(text.split())


def hostile_schema(database):
    """A schema in which every text that a user writes attacks the page."""
    fields = {f"{number} {text}": {"bsonType": "string", "description": text, "enum": [text, "x"]}
              for number, text in enumerate(HOSTILE)}  # fmt: skip
    things = BaseCollectionSchema(
        json_schema={"bsonType": "object", "properties": {"_id": {"bsonType": "objectId"}, **fields}},
        description=" ".join(HOSTILE),
        indexes=[IndexDefinition(keys={"kind": 1}, name="<b>i</b>|`"), IndexDefinition(keys={"n": -1})],
    )
    workload = [
        Query(
            name=f"q{number} {text}",
            collection="things",
            filter={"kind": text, "n": Sample("things.n")},
            per_minute=1,
            description=text,
        )
        for number, text in enumerate(HOSTILE)
    ]
    return BaseMongoDbSchema(
        database_name=database,
        description=HOSTILE[0],
        collections={"things": things},
        workload=workload,
        accepted={"index-key-order:things": HOSTILE[1]},
        volumes={"things": 1000},
    )
