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
    """Hold what came of the tests of one answer."""

    load_error: str
    """Why the code does not load; "" where it does."""

    errors: dict[int, str]
    """The error of each test that came to its end, by its number from 0; "" where it passed."""

    stopped: str = ""
    """Why the other tests did not come to their end."""


@dataclass(eq=False)
class UnitTestsEnvironment(Environment):
    """Samples carry `tests`, Python source, and may carry `answer`, code that passes them.

    A test's name is its topic. The tests run in a child process with limits; several threads may run them.
    """

    limits: Limits = field(default_factory=Limits)
    """For all tests of one answer together."""

    bounded = True
    label_field = "tests"

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Run the tests in a child process and return the share of those that pass.

        Without labels a learner sees only whether the code loads. An attempt that an error ended is not run.
        Raises TaskError for a sample without tests.
        """
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
        """Return how the tests end for the code in an answer. Never raises for what the code does.

        Code and tests are written to a temporary folder, in which the child runs.
        """
        with TemporaryDirectory(prefix="ace-tests-", ignore_cleanup_errors=True) as folder:
            work = Path(folder) / "work"
            work.mkdir()
            (work / "solution.py").write_bytes(extract_code(answer).encode("utf-8", "replace"))
            (work / "tests.py").write_bytes(tests.program.encode("utf-8", "replace"))
            report, error = run_bounded(_PROGRAM, work, self.limits)
        return _read_report(report, error)

    def check(self, sample: Sample) -> None:
        """Raise TaskError for tests without a test, and for a right answer that fails one.

        The tests are run where there is a right answer.
        """
        tests = self._tests(sample)
        reference = _reference(sample)
        if not reference:
            return
        report = self.run(reference, tests)
        missing = _explain_report(report, tests)
        if missing:
            raise sample.problem("answer", f"The right answer fails: {missing[0].text}.")

    def make_gold_attempt(self, sample: Sample) -> Attempt | None:
        """Return the attempt that answers with the right answer; None for a row without one."""
        reference = _reference(sample)
        return Attempt(sample.id, reference) if reference else None

    def _tests(self, sample: Sample) -> ParsedTests:
        """Return the tests of a sample. Raises TaskError where there is none, or they do not parse."""
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
    # Until the report says otherwise.
    stopped = stopped or "the code ended the process"
    load_error = stopped
    errors: dict[int, str] = {}
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
    """Return the tests that do not pass, in order, each with its error; a test's name is its topic.

    Where the code does not load, that is all of them.
    """
    facts = []
    for number, name in enumerate(tests.names):
        topics = frozenset({Topic(name)})
        if report.load_error or number not in report.errors:
            reason = report.load_error or report.stopped
            facts.append(Fact(f"{name}: did not end: {reason}", topics, Difference.NOT_RUN))
        elif report.errors[number]:
            facts.append(Fact(f"{name}: {report.errors[number]}", topics, Difference.FAILING_TEST))
    return tuple(facts)
