"""Attacks that read or write what is not theirs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.errors import InvalidSubmissionError
from tests.hostile.attack import NotTried, Unguarded, attack
from tests.hostile.attempt import Attempt, naively
from tests.hostile.world import World

NOT_THERE = "the host's files do not exist in a sandbox"

attack(
    "read-the-shadow-file",
    kind="files",
    claim=NOT_THERE,
    code="found = open('/etc/shadow').read(1)",
    control=Unguarded(needs_root=True),
)
attack(
    "read-the-password-file",
    kind="files",
    claim=NOT_THERE,
    code="found = open('/etc/passwd').read(1)",
)
for victim in ("events", "labels"):
    attack(
        f"read-the-{victim}",
        kind="files",
        claim="the data's folder does not exist in a plugin's sandbox",
        code=f"found = request['secret'] in open(request['{victim}']).read()",
    )
attack(
    "read-another-submission",
    kind="files",
    claim="a sandbox holds one submission",
    code="found = request['secret'] in open(request['others'] + '/model.py').read()",
)
attack(
    "read-private-keys",
    kind="files",
    claim="the scorer's home does not exist in a sandbox",
    code="found = request['secret'] in open(request['home'] + '/.ssh/id_ed25519').read()",
)
attack(
    "list-the-folders-around",
    kind="files",
    claim="the folders that hold a bound path are empty but for it",
    code="""
    others = [name for name in os.listdir(request['folder'])]
    found = others
    """,
)
attack(
    "climb-out-of-the-submission",
    kind="files",
    claim="`..` leads to the sandbox's own root",
    code="""
    place = str(inputs['submission']) + '/..' * 30 + request['events']
    found = request['secret'] in open(place).read()
    """,
)
attack(
    "read-the-embedded-sample",
    kind="files",
    claim="the package's folder of events is covered by an empty one",
    code="""
    import harness
    folder = os.path.join(os.path.dirname(harness.__file__), 'data')
    found = sorted(os.listdir(folder))
    """,
)
attack(
    "read-the-embedded-sample-where-it-is-installed",
    kind="files",
    claim="the package is not visible a second time within the packages",
    code="""
    found = []
    for folder in sys.path:
        for top, folders, files in os.walk(os.path.join(folder, 'harness')):
            found += [name for name in files if name.endswith('.events')]
    """,
)


def _link_to_events(submission: Path) -> None:
    # The world's folder lies beside the attack's own: see conftest.
    for victim in ("/etc/passwd", "/proc/self/environ"):
        (submission / f"link{len(victim)}").symlink_to(victim)


attack(
    "symlink-in-the-submission",
    kind="files",
    claim="a link in a submission is followed within the sandbox, where its target is not",
    prepare=_link_to_events,
    code="found = open(inputs['submission'] / 'link11').read(1)",
)
attack(
    "symlink-of-its-own-making",
    kind="files",
    claim="a link is no way out",
    code="""
    os.symlink(request['events'], os.environ['HOME'] + '/mine')
    found = request['secret'] in open(os.environ['HOME'] + '/mine').read()
    """,
)
attack(
    "hard-link-to-the-submission",
    kind="files",
    claim="nothing of the host can be linked into a place that can be written",
    code="""
    place = str(inputs['submission']) + '/stolen'
    os.link(inputs['code'], place)
    found = os.path.exists(place)
    """,
)


def _make_device(submission: Path) -> None:
    if os.geteuid() == 0:
        # The null device: a device that does no harm shows as much as one that does.
        os.mknod(submission / "device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
        (submission / "device").chmod(0o666)


attack(
    "device-file-in-the-submission",
    kind="files",
    claim="devices in what is bound are dead",
    prepare=_make_device,
    code="found = open(inputs['submission'] / 'device', 'rb').read(1) == b'\\0'",
    control=Unguarded(needs_root=True),
)
attack(
    "make-a-device-file",
    kind="files",
    claim="no user of a sandbox can make devices",
    code="""
    place = os.environ['HOME'] + '/disk'
    os.mknod(place, 0o060666, os.makedev(1, 5))
    found = os.path.exists(place)
    """,
    control=Unguarded(needs_root=True),
)
attack(
    "read-other-devices",
    kind="files",
    claim="there are no devices but null, zero and urandom",
    code="found = sorted(set(os.listdir('/dev')) - {'null', 'zero', 'urandom', 'shm'})",
)


def _submit_link(submission: Path) -> None:
    target = submission.parent / "elsewhere"
    submission.rename(target)
    submission.symlink_to(target)


attack(
    "submission-that-is-a-link",
    kind="files",
    claim="an input of a step is a file or a folder, no link",
    prepare=_submit_link,
    code="found = True",
    ends=InvalidSubmissionError,
    says="regular file or a folder",
    control=NotTried(because="the check of inputs is the same in mode none"),
)
for where, place in {
    "submission": "str(inputs['submission'])",
    "results": "request['results']",
    "cache": "os.path.dirname(request['events'])",
    "other-submission": "request['others']",
    "packages": "os.path.dirname(os.__file__)",
    "harness": "os.path.dirname(sys.modules['harness'].__file__)",
    "root": "'/'",
    "inputs": "'/in' if os.path.exists('/in') else request['home']",
}.items():
    attack(
        f"write-to-the-{where}",
        kind="files",
        claim="nothing can be written but the outputs and a scratch folder",
        code=f"""
        place = os.path.join({place}, 'harness-was-here')
        with open(place, 'w') as file:
            file.write('x')
        found = os.path.exists(place)
        os.remove(place)
        """,
        control=Unguarded(needs_root=where in ("packages", "harness", "root")),
    )
attack(
    "overwrite-its-own-submission",
    kind="files",
    claim="a submission is scored as it was handed in",
    code="""
    with open(inputs['code'], 'a') as file:
        file.write('#')
    found = True
    """,
)
attack(
    "chmod-what-is-bound",
    kind="files",
    claim="bound folders can't change their modes",
    code="""
    os.chmod(inputs['submission'], 0o777)
    found = True
    """,
)
for name in ("mem", "environ", "cmdline", "maps", "fd", "root"):
    attack(
        f"proc-{name}-of-the-scorer",
        kind="files",
        claim="there is no procfs in a sandbox",
        code=f"""
        found = False
        for pid in (request['parent'], os.getppid(), 1):
            place = f"/proc/{{pid}}/{name}"
            try:
                found = found or bool(os.listdir(place) if os.path.isdir(place)
                                      else open(place, 'rb', buffering=0).fileno())
            except PermissionError:
                pass
        """,
    )
attack(
    "secret-in-the-environment",
    kind="files",
    claim="a step's environment is a short list of constants",
    code="found = request['secret'] in str(os.environ)",
    control=naively,
)
attack(
    "inherited-descriptors",
    kind="files",
    claim="a step inherits its two pipes and its standard streams, nothing else",
    code="""
    own = {0, 1, 2, int(sys.argv[1]), int(sys.argv[2])}
    found = []
    for fd in set(range(3, 512)) - own:
        try:
            found.append([fd, oct(os.fstat(fd).st_mode)])
        except OSError:
            continue
    """,
    control=NotTried(because="mode none passes on the same descriptors"),
)
attack(
    "host-name-and-kernel-files",
    kind="files",
    claim="/sys does not exist in a sandbox",
    code="found = os.listdir('/sys')",
)


def _stale_setuid(submission: Path) -> None:
    copy = submission / "shell"
    copy.write_bytes(Path("/bin/sh").read_bytes())
    copy.chmod(0o6755)


def _is_other_user(attempt: Attempt, world: World) -> bool:
    return attempt.found == 0


attack(
    "setuid-program-in-the-submission",
    kind="files",
    claim="setuid bits of what is bound count for nothing",
    prepare=_stale_setuid,
    code="""
    import subprocess
    if os.getuid() == 0:
        os.setuid(65534)
    shell = str(inputs['submission'] / 'shell')
    found = int(subprocess.run([shell, '-p', '-c', 'echo $EUID; id -u'], capture_output=True,
                               text=True).stdout.split()[-1])
    """,
    got_through=_is_other_user,
    control=NotTried(because="the attack's folder is closed to the user that it would change to"),
)
