"""Attacks by what is reported: the worker is the participant's as soon as their code runs."""

from __future__ import annotations

import dataclasses
import json

from harness.errors import (
    EnvironmentFaultError,
    InvalidSubmissionError,
    LimitError,
    SubmissionError,
)
from harness.sandbox import open_sandbox
from tests.hostile.attack import LIMITS, Attack, NotTried, attack
from tests.hostile.attempt import plain_python, run_attack
from tests.hostile.world import World

REFUSED = "a report is parsed with distrust, in bounded time"
SAY = "os.write(int(sys.argv[1]), {payload})\ntime.sleep(60)\n"


def _believed_by_json(payload: str):
    """Return a control: json.loads takes the document, or fails with another error than its own."""

    def control(attack_: Attack, world: World, folder) -> bool:
        try:
            json.loads(eval(payload))
        except json.JSONDecodeError:
            return False
        except (RecursionError, UnicodeDecodeError):
            return True
        return True

    return control


for name, payload, says in (
    ("nested-100000-deep", "b'{\"report\":' + b'[' * 100_000 + b']' * 100_000 + b'}\\n'", "nested"),
    ("nested-objects", "b'{\"a\":' * 100_000 + b'1' + b'}' * 100_000 + b'\\n'", "nested"),
    ("duplicate-keys", 'b\'{"report": {"auc": 0.5, "auc": 1.0}}\\n\'', "stands twice"),
    ("nan", 'b\'{"report": {"auc": NaN}}\\n\'', "NaN"),
    ("infinity", 'b\'{"report": {"auc": -Infinity}}\\n\'', "Infinity"),
    ("overflow", 'b\'{"report": {"auc": 1e999}}\\n\'', "overflows"),
    ("ten-to-the-300", "b'{\"report\": {\"n\": 1' + b'0' * 300 + b'}}\\n'", "digits"),
    ("a-list", "b'[1, 2, 3]\\n'", "not an object"),
    ("a-string", "b'\"fine\"\\n'", "not an object"),
    ("another-schema", 'b\'{"scores": [1], "report": {}}\\n\'', "none of the known forms"),
    ("report-of-a-wrong-type", "b'{\"report\": [1]}\\n'", "none of the known forms"),
    ("many-values", "b'{\"report\": {\"a\": [' + b'0,' * 500_000 + b'0]}}\\n'", "values"),
    ("half-a-surrogate", 'b\'{"report": {"a": "\\\\ud800"}}\\n\'', "surrogate"),
    ("no-unicode", 'b\'{"report": {"a": "\\xff\\xfe"}}\\n\'', "not JSON"),
):
    attack(
        f"report-{name}",
        kind="report",
        claim=REFUSED,
        code=SAY.format(payload=payload),
        ends=InvalidSubmissionError,
        says=says,
        control=_believed_by_json(payload),
    )
attack(
    "report-of-quotes",
    kind="report",
    claim=REFUSED + ": a scan that never looks back",
    code=SAY.format(payload="b'{\"a\": \"' + b'\\\\\"' * 2_000_000 + b'\\n'"),
    ends=InvalidSubmissionError,
    says="not JSON",
    control=NotTried(because="a regular expression that looks back takes hours"),
)
attack(
    "report-of-100-megabytes",
    kind="report",
    claim="the parent keeps no more of a report than it may hold",
    code=SAY.format(payload="b'{' + b' ' * 100_000_000"),
    ends=InvalidSubmissionError,
    says="larger than",
    control=NotTried(because="a reader without a limit would take it all"),
)
attack(
    "report-that-never-ends",
    kind="report",
    claim="a report without an end runs into the time limit",
    code="""
    while True:
        os.write(int(sys.argv[1]), b' ')
        time.sleep(0.01)
    """,
    limits=dataclasses.replace(LIMITS, wall_s=1.0),
    ends=LimitError,
    says="wall time",
    control=NotTried(because="a reader without a limit would wait for ever"),
)
attack(
    "report-no-json",
    kind="report",
    claim=REFUSED,
    code=SAY.format(payload="b'\\x80\\x04K\\x01.\\n'"),
    ends=InvalidSubmissionError,
    says="not JSON",
    control=NotTried(because="json.loads refuses it too"),
)


def _machine_is_blamed(attack_: Attack, world: World, folder) -> bool:
    """Return whether a step that is trusted to blame the machine gets through with it."""
    sandbox = open_sandbox("bwrap")
    trusted = (EnvironmentFaultError,)
    return isinstance(run_attack(attack_, sandbox, world, folder, trusted).error, trusted)


attack(
    "report-a-fault-of-the-scorer",
    kind="report",
    claim="a step cannot blame this machine, which would cost it nothing",
    code="""
    import json
    frame = {'kind': 'EnvironmentFaultError', 'problems': [{'what': 'the disk is full'}]}
    os.write(int(sys.argv[1]), json.dumps(frame).encode() + b'\\n')
    time.sleep(60)
    """,
    ends=SubmissionError,
    says="the disk is full",
    control=_machine_is_blamed,
)
attack(
    "raise-a-fault-of-the-scorer",
    kind="report",
    claim="a step cannot blame this machine, which would cost it nothing",
    code="""
    from harness.errors import EnvironmentFaultError
    raise EnvironmentFaultError('the disk is full')
    """,
    ends=SubmissionError,
    says="the disk is full",
    control=_machine_is_blamed,
)
attack(
    "replace-the-worker-s-functions",
    kind="report",
    claim="a report that the worker's replaced functions wrote is parsed like any other",
    code="""
    import builtins, json
    main = sys.modules['__main__']
    main.encode = lambda message: b'{"report": {"auc": NaN}}\\n'
    json.dumps = lambda *a, **k: '{"report": {"auc": NaN}}'
    builtins.len = lambda value: 10 ** 6
    """,
    ends=InvalidSubmissionError,
    says="NaN",
    control=_believed_by_json('b\'{"report": {"auc": NaN}}\''),
)
attack(
    "exit-before-the-report",
    kind="report",
    claim="exit status 0 is no report",
    code="os._exit(0)",
    ends=SubmissionError,
    says="without a report",
    control=lambda attack_, world, folder: plain_python(attack_, world, folder).returncode == 0,
)
attack(
    "sys-exit",
    kind="report",
    claim="exit status 0 is no report",
    code="sys.exit(0)",
    ends=SubmissionError,
    says="SystemExit",
    control=lambda attack_, world, folder: plain_python(attack_, world, folder).returncode == 0,
)
attack(
    "crash",
    kind="report",
    claim="a crash is the submission's failure, and told",
    code="ctypes.string_at(0)",
    ends=SubmissionError,
    says="SIGSEGV",
    control=NotTried(because="a crash gains nothing"),
)
attack(
    "two-reports",
    kind="report",
    claim="the first line counts, and the worker dies with it",
    code="""
    import json
    for auc in (0.5, 1.0):
        os.write(int(sys.argv[1]), json.dumps({'report': {'found': auc}}).encode() + b'\\n')
    time.sleep(60)
    """,
    got_through=lambda attempt, world: attempt.found != 0.5,
    control=NotTried(because="there is no right answer to a forged report"),
)


def _at_exit_runs(attack_: Attack, world: World, folder) -> bool:
    plain_python(attack_, world, folder)
    return (folder / "scores").read_text() == "late"


for name, hook in {
    "at-exit": "import atexit; atexit.register(late)",
    "destructor": "class Late:\n    def __del__(self, late=late): late()\nkept = Late()",
    # Long after the report, also where the parent is slow to read it.
    "thread": "import threading; threading.Timer(3.0, late).start()",
}.items():
    attack(
        f"write-{name}",
        kind="report",
        claim="nothing of a step runs after its report",
        outputs={"scores": 1000},
        code=f"def late(place=str(outputs['scores']), open=open):\n"
        f"    open(place, 'w').write('late')\n{hook}\n"
        "open(outputs['scores'], 'w').write('early')\n",
        got_through=lambda attempt, world: (
            (attempt.folder / "scores").read_text() != "early" or attempt.error is not None
        ),
        control=_at_exit_runs,
    )


def _answers_differ(world: World, folder) -> bool:
    """Two steps of one submission share nothing that a counter could be kept in."""
    counting = Attack(
        name="count",
        kind="report",
        claim="",
        code="""
        place = os.environ['HOME'] + '/count'
        found = int(open(place).read()) if os.path.exists(place) else 0
        open(place, 'w').write(str(found + 1))
        """,
    )
    sandbox = open_sandbox("bwrap")
    counts = [run_attack(counting, sandbox, world, folder / str(n)).found for n in range(2)]
    return counts != [0, 0]


attack(
    "count-the-runs",
    kind="report",
    claim="nothing that a step writes is there for the next one",
    run=_answers_differ,
    control=NotTried(because="a folder that is kept would count"),
)
