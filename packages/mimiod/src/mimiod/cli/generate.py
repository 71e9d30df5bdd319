"""`mimiod generate`: a language model taken through the five steps."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from filelock import FileLock, Timeout

from mimiod import embedded
from mimiod.cli.generate_display import display
from mimiod.errors import BudgetSpentError, ConfigurationError, LanguageModelError, ProjectError
from mimiod.language_model import endpoint_of
from mimiod.settings import Settings, find_home, load_settings
from mimiod.workflow import folder as folders
from mimiod.workflow import steps, transcript
from mimiod.workflow.budget import Budget
from mimiod.workflow.endpoint import LanguageModel
from mimiod.workflow.gates import STEPS
from mimiod.workflow.generating import Generation
from mimiod.workflow.judging import Judge
from mimiod.workflow.patience import ask
from mimiod.workflow.sandbox import Sandbox, barred

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mimiod.cli.generate_display import Display
    from mimiod.workflow.endpoint import Answer, Message
    from mimiod.workflow.folder import ProjectFolder
    from mimiod.workflow.generating import Ask
    from mimiod.workflow.patience import Listener

INTERRUPTED = 130
_GO_ON = "the same command goes on where it ended"


def generate(
    brief: Annotated[
        str, typer.Argument(metavar="BRIEF", help="The business description: .md, .txt, .sql, .json, or -.")
    ],
    name: Annotated[str, typer.Option(help="The project's name: projects/NAME is made.")],
    attempts: Annotated[int, typer.Option(min=1, help="How often the model is asked for one step.")] = 4,
    max_tokens: Annotated[
        int, typer.Option(min=1, help="Tokens of prompts and answers together, earlier commands' too.")
    ] = 1_000_000,
    max_cost: Annotated[
        float | None, typer.Option(help="Money, in the currency of --price-in and --price-out.")
    ] = None,
    price_in: Annotated[float, typer.Option(min=0, help="Of a million tokens of prompts.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help="Of a million tokens of answers.")] = 0.0,
    max_time: Annotated[float, typer.Option(help="Seconds of this command.")] = 3600.0,
    timeout: Annotated[float, typer.Option(help="Seconds of silence until an answer is given up.")] = 300.0,
    uri: Annotated[
        str | None,
        typer.Option(help="A scratch server to try the project on; else an embedded one of its own."),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Make the project from a transcript, without a network."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over: drop the transcript, write over the files.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print events as lines of JSON.")] = False,
) -> None:
    """Have a language model make a project from a brief, step by step, and check each step.

    The model is OPENAI_MODEL at OPENAI_ENDPOINT, any service that speaks OpenAI's chat completions; its key
    is OPENAI_API_KEY. What it writes runs in a sandbox. A generation that ended early is gone on with by
    the same command.

    Exits 0 if all five steps pass, 1 if not or if it could not be done, 130 if it was interrupted.

    Example: mimiod generate shop.md --name shop --max-tokens 300000
    """
    if max_cost is not None and not (price_in or price_out):
        raise typer.BadParameter("it needs --price-in and --price-out", param_hint="--max-cost")
    if replay is not None and (uri is not None or fresh):
        raise typer.BadParameter("it goes with neither --uri nor --fresh", param_hint="--replay")
    budget = Budget(max_tokens, max_cost, price_in, price_out, max_time)
    shown = display(budget, as_json=as_json)
    try:
        folder = folders.opened(name, brief, find_home(Path.cwd()), sys.stdin.buffer, fresh=fresh)
        with _alone(folder):
            if replay is not None:
                generation = _recorded(folder, replay, budget, shown)
                done = generation.run()
            else:
                with _live(folder, budget, shown, uri=uri, timeout=timeout) as generation:
                    generation.attempts = attempts
                    done = generation.run()
    except KeyboardInterrupt:
        shown.close()
        shown.error(f"interrupted; {_GO_ON}")
        raise typer.Exit(INTERRUPTED) from None
    except (BudgetSpentError, LanguageModelError) as exc:
        raise LanguageModelError(f"{exc}; {_GO_ON}") from None
    finally:
        shown.close()
    shown.summary(name, done)
    if len(done) < len(STEPS) or not done[-1].passed:
        raise typer.Exit(1)


@contextlib.contextmanager
def _live(
    folder: ProjectFolder, budget: Budget, shown: Display, *, uri: str | None, timeout: float
) -> Iterator[Generation]:
    """Yield a generation that asks the model where its transcript ends."""
    settings = load_settings()
    if settings.openai_api_key is None and settings.openai_endpoint == Settings.openai_endpoint:
        raise ConfigurationError(
            "OPENAI_API_KEY is not set: set it, or OPENAI_ENDPOINT to a service that needs none"
        )
    if not barred():
        shown.note("the kernel here cannot bar generated code: it runs behind Python's own fence only")
    if folder.transcript.is_file() and not folder.overwrites:
        record = transcript.read(folder.transcript, folder.path.name, folder.brief, live=True)
    else:
        record = transcript.begun(folder.transcript, folder.path.name, folder.brief)
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(LanguageModel(endpoint_of(settings), timeout=timeout))

        def asked(messages: list[Message], listener: Listener) -> Answer:
            return ask(model, messages, budget=budget, listener=listener, sleep=time.sleep)

        def sandbox() -> Sandbox:
            return Sandbox(uri or stack.enter_context(_scratch_server(settings)).uri)

        yield _generation(folder, record, budget, shown, asked, Judge(sandbox, folder.path.name))


def _recorded(folder: ProjectFolder, file: Path, budget: Budget, shown: Display) -> Generation:
    """Return a generation that only plays a transcript back."""
    record = transcript.read(file, folder.path.name, folder.brief, live=False)
    if not folder.transcript.is_file():
        folder.transcript.write_bytes(file.read_bytes())
    elif folder.transcript.read_bytes() != file.read_bytes():
        raise ProjectError(f"{folder.path} has a transcript of its own: remove the folder first")
    return _generation(folder, record, budget, shown, None, None)


def _generation(
    folder: ProjectFolder,
    record: transcript.Transcript,
    budget: Budget,
    shown: Display,
    asked: Ask | None,
    judge: Judge | None,
) -> Generation:
    return Generation(
        folder=folder,
        instructions={step: steps.text(step) for step in STEPS},
        transcript=record,
        budget=budget,
        reporter=shown,
        ask=asked,
        judge=judge,
    )


@contextlib.contextmanager
def _scratch_server(settings: Settings) -> Iterator[embedded.EmbeddedServer]:
    """Run an embedded server that nobody else uses, and that leaves nothing."""
    with tempfile.TemporaryDirectory(prefix="mimiod-", ignore_cleanup_errors=True) as made:
        data = Path(made)
        try:
            yield embedded.start(data, cache=settings.server_cache)
        finally:
            embedded.stop(data)


@contextlib.contextmanager
def _alone(folder: ProjectFolder) -> Iterator[None]:
    """Hold the folder against a second generation."""
    lock = FileLock(folder.transcript.with_name("lock"))
    try:
        with lock.acquire(blocking=False):
            yield
    except Timeout:
        raise ProjectError(f"another process generates {folder.path}: wait for it") from None
