"""The `tests` environment: an answer is Python code, right when a row's tests pass.

The tests are labels. Without labels a learner sees whether the code loads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from ace.errors import InputError
from ace.task.environments.unit_tests import run_tests
from ace.task.environments.unit_tests.bounded_child import Limits, run_bounded
from ace.task.environments.unit_tests.parsed_tests import ParsedTests, extract_code, parse_tests
from ace.task.types import Attempt, Difference, Environment, Fact, Outcome, Sample, Topic

_PROGRAM = Path(run_tests.__file__)


@dataclass(frozen=True, slots=True)
class ChildReport:
    """Hold why the code does not load, and the error of each test by its number, "" where it passed.

    A test without an entry did not come to its end, for the reason in `stopped`.
    """

    load_error: str
    errors: dict[int, str]
    stopped: str = ""


@dataclass(eq=False)
class UnitTestsEnvironment(Environment):
    """Samples carry `tests`, Python source, and may carry `answer`, code that passes them."""

    limits: Limits = field(default_factory=Limits)

    bounded = True
    label_field = "tests"

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Run the tests in a child process and return the share of those that pass."""
        tests = self._tests(sample)
        if attempt.error and not attempt.answer.strip():
            report = ChildReport(attempt.error, {})
        else:
            report = self.run(attempt.answer, tests)
        missing = _explain_report(report, tests)
        observed = f"error: {report.load_error}" if report.load_error else "the code loads"
        failing = "\n".join(fact.text for fact in missing)
        return Outcome(
            score=(len(tests.names) - len(missing)) / len(tests.names),
            observed=observed,
            annotated=f"{observed}; failing tests:\n{failing}" if failing else "",
            detail=missing[0].text if missing else "",
            ran=not report.load_error,
            expected=_reference(sample),
            expected_kind="code",
            missing=missing,
        )

    def run(self, answer: str, tests: ParsedTests) -> ChildReport:
        """Return how the tests end for the code in an answer. Never raises for what the code does."""
        with TemporaryDirectory(prefix="ace-tests-", ignore_cleanup_errors=True) as folder:
            work = Path(folder) / "work"
            work.mkdir()
            (work / "solution.py").write_bytes(extract_code(answer).encode("utf-8", "replace"))
            (work / "tests.py").write_bytes(tests.program.encode("utf-8", "replace"))
            result = run_bounded(_PROGRAM, work, self.limits)
        return _read_report(result.report, result.error)

    def check(self, sample: Sample) -> None:
        """Raise TaskError for tests without a test, and for a right answer that fails one."""
        tests = self._tests(sample)
        if reference := _reference(sample):
            missing = _explain_report(self.run(reference, tests), tests)
            if missing:
                raise sample.problem("answer", f"The right answer fails: {missing[0].text}.")

    def _tests(self, sample: Sample) -> ParsedTests:
        source = sample.data.get("tests")
        if not isinstance(source, str) or not source.strip():
            raise sample.problem("tests", f"Expected Python source as text, found {source!r:.60}.")
        try:
            return parse_tests(source)
        except InputError as error:
            raise sample.problem("tests", error.message, error.hint) from error


def _reference(sample: Sample) -> str:
    """Return the code of the right answer, or "". Raises TaskError for one that is no text."""
    reference = sample.data.get("answer", "")
    if not isinstance(reference, str):
        raise sample.problem("answer", f"Expected Python source as text, found {reference!r:.60}.")
    return reference


def _read_report(report: bytes, stopped: str) -> ChildReport:
    """Return what the lines of a child's report say; a line that is none, or is cut off, is left out."""
    load_error, errors = stopped or "the code ended the process", dict[int, str]()
    stopped = load_error
    for line in report.splitlines():
        try:
            name, error = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        match name, error:
            case "loaded", str():
                load_error = error
            case "ended", str():
                stopped = error or stopped
            case int(), str():
                errors[name] = error
    return ChildReport(load_error, errors, stopped)


def _explain_report(report: ChildReport, tests: ParsedTests) -> tuple[Fact, ...]:
    """Return the tests that do not pass, each with its error; a test's name is its topic."""
    facts = []
    for number, name in enumerate(tests.names):
        topics = frozenset({Topic(name)})
        if report.load_error or number not in report.errors:
            reason = report.load_error or report.stopped
            facts.append(Fact(f"{name}: did not end: {reason}", topics, Difference.NOT_RUN))
        elif report.errors[number]:
            facts.append(Fact(f"{name}: {report.errors[number]}", topics, Difference.FAILING_TEST))
    return tuple(facts)
