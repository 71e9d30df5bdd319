"""What the tests of loading share: a run, whoever is told of it, and what it left in the database."""

import hashlib

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from mimiod import running
from mimiod.projects import load_project
from mimiod.resuming import Way


class Heard:
    """A reporter that remembers, and does something whenever people are seeded."""

    def __init__(self, at_people=lambda: None):
        self.at_people = at_people
        self.phases, self.notes, self.seeded = [], [], {}

    def phase(self, name):
        self.phases.append(name)

    def note(self, text):
        self.notes.append(text)

    def progress(self, collection, done, total):
        if self.phases[-1] == "seed":
            self.seeded[collection] = (done, total)
            if done and collection == "people":
                self.at_people()


def run(folder, uri, *, reporter=None, seed=None, scale=1.0, **way):
    return running.run(
        load_project(folder), uri=uri, reporter=reporter or Heard(), seed=seed, scale=scale, way=Way(**way)
    )


def state_of(database):
    return database["_mimiod"].find_one({"_id": "run"})["state"]


def contents_of(database):
    """Return a digest of every document of a database but Mimiod's own, to the byte."""
    digest = hashlib.sha256()
    raw = database.with_options(codec_options=CodecOptions(document_class=RawBSONDocument))
    for name in sorted(database.list_collection_names()):
        if not name.startswith(("_", "system.")):
            documents = sorted((each["_id"].binary, each.raw) for each in raw[name].find())
            digest.update(f"{name} {len(documents)}".encode())
            digest.update(b"".join(document for _, document in documents))
    return digest.hexdigest()


def first_in_encode(*lines):
    """Return the change to the shop's seeder that runs these lines before a unit's documents are made."""
    begins = "    def encode(self, unit):\n"
    return begins, begins + "".join(f"        {line}\n" for line in lines)


def killed_once(flag):
    """Return the change that kills the process of one unit, if the file is there, which it removes."""
    return first_in_encode(
        "import os",
        f'if unit.start == 200 and os.path.exists("{flag}"):',
        f'    os.unlink("{flag}")',
        "    os.kill(os.getpid(), 9)",
    )
