"""A stand-in for GitHub on loopback, and one for its runners.

The API answers the calls that this project makes as GitHub documents them, and refuses a call with
another token, another shape or another address. A workflow is the YAML of this repository: its
``run:`` steps are executed as they stand, by bash, with the expressions filled in; the few actions
are played by functions here.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

PROJECT = Path(__file__).parents[1]
WORKFLOWS = PROJECT / ".github" / "workflows"
REPOSITORY = "lab/benchmark"
TOKEN = "token-of-the-workflow"


@dataclass
class PullRequestRecord:
    number: int
    author: str
    head_repository: str
    head_branch: str
    head_sha: str
    base_sha: str
    files: list[str]
    state: str = "open"


@dataclass
class ForgeStand:
    """What the stand-in knows, and what it was asked."""

    api: str = ""
    pulls: dict[int, PullRequestRecord] = field(default_factory=dict)
    # Run's number -> its artefacts by name.
    artefacts: dict[int, dict[str, bytes]] = field(default_factory=dict)
    # Pull request's number -> (comment's number, account, body).
    comments: dict[int, list[tuple[int, str, str]]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    store: str = ""
    claimed_bytes: int | None = None

    def comment_of(self, number: int) -> str:
        """The one comment that our robot wrote."""
        (body,) = [
            body
            for _, account, body in self.comments.get(number, [])
            if account == "github-actions[bot]"
        ]
        return body


class _Api(BaseHTTPRequestHandler):
    stand: ForgeStand

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def _serve(self, method: str) -> None:
        parts = urlsplit(self.path)
        stand, path = self.stand, parts.path
        stand.calls.append((method, path))
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer(401, {"message": "Bad credentials"})
        if self.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            return self._fault(f"{method} {path}: no version of the API")
        prefix = f"/repos/{REPOSITORY}"
        if not path.startswith(prefix):
            return self._fault(f"{method} {path}: another repository")
        return self._route(method, path.removeprefix(prefix), query, body)

    def _route(
        self, method: str, path: str, query: Mapping[str, str], body: dict[str, object] | None
    ) -> None:
        stand = self.stand
        if method == "GET" and path == "/pulls":
            found = [_pull(one) for one in stand.pulls.values() if _is_asked_for(one, query)]
            return self._answer(200, found)
        if method == "GET" and (match := re.fullmatch(r"/pulls/(\d+)/files", path)):
            page, size = int(query["page"]), int(query["per_page"])
            names = stand.pulls[int(match[1])].files[(page - 1) * size : page * size]
            return self._answer(200, [{"filename": name, "status": "added"} for name in names])
        if method == "GET" and (match := re.fullmatch(r"/actions/runs/(\d+)/artifacts", path)):
            return self._answer(200, self._artefacts(int(match[1])))
        if method == "GET" and (match := re.fullmatch(r"/actions/artifacts/(\d+)-(.+)/zip", path)):
            self.send_response(302)
            self.send_header("Location", f"{stand.store}/{match[1]}/{match[2]}")
            self.end_headers()
            return None
        return self._comments(method, path, query, body)

    def _artefacts(self, run: int) -> dict[str, object]:
        held = self.stand.artefacts.get(run, {})
        return {
            "total_count": len(held),
            "artifacts": [
                {
                    "id": run,
                    "name": name,
                    "size_in_bytes": self.stand.claimed_bytes or len(content),
                    "expired": False,
                    "archive_download_url": f"{self.stand.api}/repos/{REPOSITORY}"
                    f"/actions/artifacts/{run}-{name}/zip",
                }
                for name, content in held.items()
            ],
        }

    def _comments(
        self, method: str, path: str, query: Mapping[str, str], body: dict[str, object] | None
    ) -> None:
        stand = self.stand
        if match := re.fullmatch(r"/issues/(\d+)/comments", path):
            held = stand.comments.setdefault(int(match[1]), [])
            if method == "GET":
                size = int(query["per_page"])
                start = (int(query["page"]) - 1) * size
                return self._answer(200, [_comment(*one) for one in held[start : start + size]])
            if not self._is_body(body):
                return None
            number = 1000 + sum(map(len, stand.comments.values()))
            held.append((number, "github-actions[bot]", str(body["body"])))
            return self._answer(201, _comment(*held[-1]))
        if method == "PATCH" and (match := re.fullmatch(r"/issues/comments/(\d+)", path)):
            if not self._is_body(body):
                return None
            for held in stand.comments.values():
                for place, (number, account, _) in enumerate(held):
                    if number == int(match[1]):
                        held[place] = number, account, str(body["body"])
                        return self._answer(200, _comment(*held[place]))
        return self._fault(f"{method} {path}: no such call")

    def _is_body(self, body: dict[str, object] | None) -> bool:
        if body is None or set(body) != {"body"} or len(str(body["body"])) > 65_536:
            self._fault("a comment of another shape")
            return False
        return True

    def _fault(self, what: str) -> None:
        self.stand.faults.append(what)
        self._answer(404, {"message": what})

    def _answer(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Store(BaseHTTPRequestHandler):
    """Where artefacts lie: another host, which must not see the token."""

    stand: ForgeStand

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization"):
            self.stand.faults.append("the token was sent to the store")
        _, run, name = self.path.split("/")
        content = self.stand.artefacts[int(run)][name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            # The reader had enough.
            return


def _pull(one: PullRequestRecord) -> dict[str, object]:
    return {
        "number": one.number,
        "state": one.state,
        "title": "whatever the author likes",
        "head": {
            "sha": one.head_sha,
            "ref": one.head_branch,
            "repo": {"full_name": one.head_repository},
        },
        "base": {"sha": one.base_sha, "ref": "main", "repo": {"full_name": REPOSITORY}},
    }


def _is_asked_for(one: PullRequestRecord, query: Mapping[str, str]) -> bool:
    owner = one.head_repository.partition("/")[0]
    return query["state"] == one.state and query["head"] == f"{owner}:{one.head_branch}"


def _comment(number: int, account: str, body: str) -> dict[str, object]:
    kind = "Bot" if account.endswith("[bot]") else "User"
    return {"id": number, "body": body, "user": {"login": account, "type": kind}}


@contextmanager
def stand_in() -> Iterator[ForgeStand]:
    """Serve a forge on loopback until the block ends."""
    stand = ForgeStand()
    servers = []
    for handler, host in ((_Api, "127.0.0.1"), (_Store, "127.0.0.2")):
        own = type(handler.__name__, (handler,), {"stand": stand})
        server = ThreadingHTTPServer((host, 0), own)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    stand.api = f"http://127.0.0.1:{servers[0].server_address[1]}"
    stand.store = f"http://127.0.0.2:{servers[1].server_address[1]}"
    try:
        yield stand
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@dataclass
class StepRun:
    """One executed step."""

    name: str
    code: int
    output: str


@dataclass
class WorkflowRun:
    """What came of a workflow."""

    steps: list[StepRun]
    workspace: Path

    @property
    def is_good(self) -> bool:
        return all(step.code == 0 for step in self.steps)

    def step(self, name: str) -> StepRun:
        return next(step for step in self.steps if step.name == name)


@dataclass
class Runner:
    """Plays one workflow after the other against a repository and a forge.

    Attributes
    ----------
    upstream : Path
        The repository that the workflows belong to.
    folder : Path
        Workspaces are made below it.
    variables : mapping
        The repository's variables; `secrets` its secrets; `environment` what the machine has set.
    workflows, programs : Path
        Folders of the workflows, and of what they install.
    """

    upstream: Path
    folder: Path
    stand: ForgeStand
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    number: int = 0
    workflows: Path = WORKFLOWS
    programs: Path = Path(sys.prefix) / "bin"

    def run(self, workflow: str, event: Mapping[str, object]) -> WorkflowRun:
        """Execute the one job of a workflow."""
        self.number += 1
        content = yaml.safe_load((self.workflows / workflow).read_text(encoding="utf-8"))
        (job,) = content["jobs"].values()
        workspace = self.folder / f"run-{self.number}"
        event_file = self.folder / f"event-{self.number}.json"
        event_file.write_text(json.dumps(event), encoding="utf-8")
        contexts: dict[str, object] = {
            "github": {"event": event, "token": TOKEN, "event_name": "?"},
            "vars": self.variables,
            "secrets": self.secrets,
            "runner": {"environment": "github-hosted", "os": "Linux", "temp": str(self.folder)},
        }
        if "if" in job and not evaluate(str(job["if"]), contexts):
            return WorkflowRun(steps=[], workspace=workspace)
        done = WorkflowRun(steps=[], workspace=workspace)
        has_failed = False
        for step in job["steps"]:
            condition = str(step.get("if", "success()"))
            if not evaluate(condition.removeprefix("${{").removesuffix("}}"), contexts) or (
                has_failed and "cancelled()" not in condition
            ):
                continue
            run = self._step(step, workspace, event_file, contexts)
            done.steps.append(run)
            has_failed |= run.code != 0 and not step.get("continue-on-error", False)
        return done

    def _step(
        self,
        step: Mapping[str, object],
        workspace: Path,
        event_file: Path,
        contexts: Mapping[str, object],
    ) -> StepRun:
        name = str(step.get("name", step.get("uses")))
        if "uses" in step:
            settings = {
                key: fill(value, contexts) for key, value in dict(step.get("with", {})).items()
            }
            return StepRun(name, self._action(str(step["uses"]), settings, workspace), "")
        given = {key: fill(value, contexts) for key, value in dict(step.get("env", {})).items()}
        script = fill(step["run"], contexts)
        assert "${{" not in str(step["run"]), f"{name}: an expression inside a script"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=workspace,
            env=self._environment(event_file) | given,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        return StepRun(name, done.returncode, done.stdout + done.stderr)

    def _environment(self, event_file: Path) -> dict[str, str]:
        tools = self.folder / "tools"
        if not tools.exists():
            tools.mkdir()
            sudo = tools / "sudo"
            sudo.write_text(f'#!/bin/sh\necho "$@" >> "{self.folder}/sudo.log"\n')
            sudo.chmod(0o755)
        return {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            "GITHUB_API_URL": self.stand.api,
            "GITHUB_EVENT_PATH": str(event_file),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": "https://github.example",
            **self.environment,
        }

    def _action(self, uses: str, settings: Mapping[str, str], workspace: Path) -> int:
        action, _, commit = uses.partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", commit), f"{uses} is not pinned"
        if action == "actions/checkout":
            assert settings["persist-credentials"] == "False"
            self._check_out(workspace, settings.get("ref") or "main")
        elif action == "actions/upload-artifact":
            if not (workspace / settings["path"]).is_dir():
                return 1
            held = self.stand.artefacts.setdefault(self.number, {})
            held[settings["name"]] = zipped(workspace / settings["path"])
        else:
            assert action in {"actions/setup-python", "actions/cache/restore"}, action
        return 0

    def _check_out(self, workspace: Path, reference: str) -> None:
        """Clone, with this interpreter's environment as what `make setup` would make."""
        for command in (
            ["git", "clone", "--quiet", "--no-checkout", str(self.upstream), str(workspace)],
            ["git", "-C", str(workspace), "checkout", "--quiet", "--detach", reference],
        ):
            subprocess.run(command, check=True, capture_output=True)
        made = workspace / ".venv"
        made.mkdir()
        (made / "bin").symlink_to(self.programs)
        (made / ".ready").touch()


def zipped(folder: Path) -> bytes:
    """Pack a folder as the forge does."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return out.getvalue()


_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def fill(value: object, contexts: Mapping[str, object]) -> str:
    """Fill the expressions of a text in."""
    return _EXPRESSION.sub(lambda match: str(evaluate(match[1], contexts) or ""), str(value))


def evaluate(expression: str, contexts: Mapping[str, object]) -> object:
    """Evaluate what these workflows use of the forge's expressions."""
    expression = expression.strip()
    if "&&" in expression:
        return all(evaluate(part, contexts) for part in expression.split("&&"))
    if "||" in expression:
        either = (evaluate(part, contexts) for part in expression.split("||"))
        return next((one for one in either if one), None)
    for sign, is_equal in (("==", True), ("!=", False)):
        if sign in expression:
            left, right = (evaluate(part, contexts) for part in expression.split(sign))
            return (left == right) is is_equal
    return _operand(expression, contexts)


def _operand(expression: str, contexts: Mapping[str, object]) -> object:
    if expression in {"success()", "!cancelled()"}:
        return True
    if match := re.fullmatch(r"'([^']*)'", expression):
        return match[1]
    if expression.startswith("hashFiles("):
        return "0" * 64
    assert re.fullmatch(r"[a-z_]+(\.[A-Za-z_]+)+", expression), expression
    found: object = contexts
    for name in expression.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
