"""Pull requests that mean harm: each is made from git's own objects, and none is scored."""

from __future__ import annotations

import io
import json
import os
import resource
import zipfile
import zlib
from pathlib import Path

import pytest
from rich.console import Console

from harness.board.contest import Rulebook
from harness.board.entry import Entry
from harness.challenge import IntakeRules
from harness.ci.announce import announce
from harness.ci.artefact import MAX_ARCHIVE_BYTES, read_archive
from harness.ci.comment import MAX_COMMENT_BYTES, Rivals, make_comment, readable
from harness.ci.documents import Plan, Scoring, Summary
from harness.ci.git import Repository
from harness.ci.github import FinishedRun, Forge
from harness.ci.plan import make_plan
from harness.ci.staging import read_files, write_files
from harness.ci.view import scorings_view
from harness.errors import DataError, EnvironmentFaultError, InvalidSubmissionError, UsageError
from tests.cards import make_card
from tests.ci_stand_in import RULES
from tests.forge import REPOSITORY, TOKEN, PullRequestRecord, stand_in
from tests.repositories import GitRepository, submission

BASE = {
    "README.md": b"The benchmark.\n",
    "data_manifest.yaml": b"schema: 1\n",
    "harness/scoring/pipeline.py": b"honest = True\n",
    "results/sample/team_a/card.json": b"{}\n",
    ".github/workflows/publish.yml": b"on: push\n",
    **submission("team_a", owners=["ada"]),
}
MINE = submission("mine", owners=["mallory"])
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository.init(tmp_path / "upstream", BASE)


def judge(repository: GitRepository, head: str = "pr", author: str = "mallory") -> Plan:
    return make_plan(repository.reader, base="main", head=head, intake=IntakeRules(), author=author)


def assert_refused(plan: Plan, *words: str) -> None:
    told = "\n".join(f"{one.where}: {one.what}" for one in plan.problems)
    assert plan.kind == "refused"
    assert plan.to_score == ()
    for word in words:
        assert word in told


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/publish.yml",
        "harness/scoring/pipeline.py",
        "data_manifest.yaml",
        "README.md",
        "Submissions/mine/model.py",
        "submissions.py",
        ".gitattributes",
        ".gitmodules",
    ],
)
def test_anything_else_beside_the_submission(repository, path):
    repository.commit("pr", {**MINE, path: b"evil = True\n"})
    assert_refused(judge(repository), path, "something else")


def test_deletes_the_leaderboard(repository):
    repository.commit("pr", {**MINE, "results/sample/team_a/card.json": None})
    assert_refused(judge(repository), "results/sample/team_a/card.json")


def test_a_thousand_files(repository):
    many = {f"submissions/mine/data/{i}.txt": b"x" for i in range(1000)}
    repository.commit("pr", {**MINE, **many})
    assert_refused(judge(repository), "1,002 files")


def test_twenty_thousand_folders_of_teams(repository):
    blob = repository.blob(b"x")
    objects = {f"submissions/t{i}/model.py": blob for i in range(20_000)}
    repository.commit("pr", {}, objects=objects)
    assert_refused(judge(repository), "20,000 submissions")


def _huge_blob(repository: GitRepository, n_bytes: int) -> str:
    """Write a blob of zeros as git stores one, without ever holding it: 2 GB pack to 2 MB."""
    import hashlib

    header = b"blob %d\0" % n_bytes
    zeros = bytes(2**20)
    digest, packer = hashlib.sha1(header, usedforsecurity=False), zlib.compressobj(1)
    packed = [packer.compress(header)]
    for _ in range(n_bytes // len(zeros)):
        digest.update(zeros)
        packed.append(packer.compress(zeros))
    name = digest.hexdigest()
    path = repository.folder / ".git" / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join([*packed, packer.flush()]))
    return name


def test_a_file_of_two_gigabytes_is_refused_by_its_size_and_never_read(repository, monkeypatch):
    blob = _huge_blob(repository, 2 * 2**30)
    repository.commit("pr", MINE, objects={"submissions/mine/weights.h5": blob})
    read = []
    honest = Repository.blob

    def watched(self: Repository, name: str, max_bytes: int) -> bytes:
        read.append(name)
        return honest(self, name, max_bytes)

    monkeypatch.setattr(Repository, "blob", watched)
    assert_refused(judge(repository), "submissions/mine/weights.h5: 2,048.0 MiB")
    assert read
    assert blob not in read


def test_staging_holds_the_limits_by_itself(repository):
    blob = _huge_blob(repository, 80 * 2**20)
    repository.commit("pr", MINE, objects={"submissions/mine/weights.h5": blob})
    tree = repository.git("rev-parse", "pr:submissions/mine")
    with pytest.raises(InvalidSubmissionError, match=r"80\.0 MiB"):
        read_files(repository.reader, tree)


def test_a_submodule(repository):
    commit = repository.git("rev-parse", "main")
    repository.commit(
        "pr",
        MINE,
        objects={"submissions/mine/library": commit},
        modes={"submissions/mine/library": "160000"},
    )
    assert_refused(judge(repository), "submissions/mine/library: is a submodule")


@pytest.mark.parametrize("target", [b"/etc/passwd", b"../team_a/model.py", b"model.py"])
def test_a_symbolic_link(repository, target):
    link = "submissions/mine/weights.h5"
    repository.commit("pr", {**MINE, link: target}, modes={link: "120000"})
    assert_refused(judge(repository), "is a symbolic link")
    with pytest.raises(InvalidSubmissionError, match="no regular file"):
        read_files(repository.reader, repository.git("rev-parse", "pr:submissions/mine"))


def test_the_folder_itself_is_a_link_to_another_teams(repository):
    repository.commit("pr", {"submissions/mine": b"team_a"}, modes={"submissions/mine": "120000"})
    assert judge(repository).to_score == ()


def test_a_pointer_of_git_lfs(repository):
    repository.commit("pr", {**MINE, "submissions/mine/weights.h5": POINTER})
    assert_refused(judge(repository), "is a pointer of Git LFS")


def test_another_teams_folder(repository):
    repository.commit("pr", {"submissions/team_a/model.py": b"def score(e): return 0\n"})
    assert_refused(judge(repository), "mallory is no owner of this folder")


def test_another_teams_folder_taken_over_by_a_rename(repository):
    gone = dict.fromkeys(submission("team_a"))
    repository.commit("pr", {**gone, **submission("mine", owners=["mallory"])})
    assert_refused(judge(repository), "submissions/team_a: mallory is no owner")


@pytest.mark.parametrize("twin", ["Team_A", "TEAM_A", "team_a.", "team_ａ"])
def test_a_twin_of_a_team(repository, twin):
    files = {path.replace("team_a", twin): body for path, body in submission("team_a").items()}
    repository.commit("pr", files)
    plan = judge(repository)
    assert plan.kind == "refused"
    assert "are one folder on some disks" in "\n".join(one.what for one in plan.problems)


def test_a_twin_of_a_file(repository):
    repository.commit("pr", {**MINE, "submissions/mine/Model.py": b"evil = True\n"})
    assert_refused(judge(repository), "are one file on some disks")


def test_a_twin_of_a_folder(repository):
    files = {"submissions/mine/lib/a.py": b"1", "submissions/mine/LIB/b.py": b"2"}
    repository.commit("pr", {**MINE, **files})
    assert_refused(judge(repository), "are one file on some disks")


@pytest.mark.parametrize(
    "name",
    [
        ".git/config",
        ".gitattributes",
        ".GIT/hooks/post-checkout",
        "git~1\\x",
        "a\nb.py",
        "\udcff.py",
    ],
)
def test_a_name_that_git_or_the_disk_would_obey(repository, name):
    tree = _tree(repository, {**MINE, f"submissions/mine/{name}": b"x"})
    plan = judge(repository, head=tree)
    assert plan.kind == "refused"


def _tree(repository: GitRepository, files: dict[str, bytes]) -> str:
    """Commit names that `git update-index` refuses, by trees written as objects."""
    top = repository.git("ls-tree", "-z", "main")
    entries = [line for line in top.split("\0") if line and not line.endswith("\tsubmissions")]

    def write(children: dict[str, object]) -> str:
        lines = []
        for name, child in children.items():
            if isinstance(child, dict):
                lines.append(f"040000 tree {write(child)}\t{name}")
            else:
                assert isinstance(child, bytes)
                lines.append(f"100644 blob {repository.blob(child)}\t{name}")
        content = "\0".join(lines).encode(errors="surrogateescape") + b"\0"
        return repository.git("mktree", "-z", content=content)

    nested: dict[str, object] = {}
    for path, body in {**submission("team_a", owners=["ada"]), **files}.items():
        place = nested
        *folders, last = path.removeprefix("submissions/").split("/")
        for folder in folders:
            place = place.setdefault(folder, {})  # type: ignore[assignment]
        place[last] = body
    entries.append(f"040000 tree {write(nested)}\tsubmissions")
    tree = repository.git("mktree", "-z", content=("\0".join(entries) + "\0").encode())
    return repository.git("commit-tree", tree, "-p", "main", "-m", "x")


@pytest.mark.parametrize("name", ["../out.py", "/out.py", "a/../../out.py"])
def test_staging_writes_nothing_outside_its_folder(tmp_path, name):
    with pytest.raises((InvalidSubmissionError, OSError)):
        write_files({name: b"x"}, tmp_path / "in" / "team")
    assert not list(tmp_path.rglob("out.py"))


INJECTIONS = [
    "$(touch pwned)",
    "`touch pwned`",
    "';touch pwned;'",
    '"; touch pwned; "',
    "x\ntouch pwned\n",
    "--upload-pack=touch pwned",
    "${{ secrets.TOKEN }}",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_commit_message_is_never_run(repository, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    repository.commit("pr", MINE, message=text)
    assert judge(repository).kind == "submissions"
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_name_of_a_branch_is_never_run_or_read_as_an_option(
    repository, text, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    repository.commit("pr", MINE)
    with pytest.raises(Exception, match="is no commit"):
        judge(repository, head=text)
    assert not list(tmp_path.rglob("pwned"))


def test_hooks_filters_and_drivers_of_the_repository_do_not_run(repository, tmp_path):
    trap = f"touch {tmp_path}/pwned"
    for key in ("core.fsmonitor", "filter.x.smudge", "filter.x.clean", "merge.x.driver"):
        repository.git("config", key, trap)
    repository.git("config", "core.sshCommand", trap)
    for hook in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change"):
        path = repository.folder / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{trap}\n")
        path.chmod(0o755)
    for hook in ("reference-transaction",):
        # It would run for the tests' own commit.
        (repository.folder / ".git" / "hooks" / hook).unlink()
    repository.commit("pr", MINE)
    (tmp_path / "pwned").unlink(missing_ok=True)

    plan = judge(repository)
    read_files(repository.reader, plan.to_score[0].tree or "")
    assert not (tmp_path / "pwned").exists()


def test_the_environment_cannot_lead_git_elsewhere(repository, tmp_path, monkeypatch):
    other = GitRepository.init(tmp_path / "other", {"README.md": b"other\n"})
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "alias.merge-tree")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "!touch pwned")
    monkeypatch.delenv("GIT_DIR")
    repository.commit("pr", MINE)
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    assert judge(repository).kind == "submissions"


def test_a_commit_that_is_not_related_is_told(repository):
    repository.commit("pr", MINE, parent=None)
    with pytest.raises(EnvironmentFaultError, match="merge-tree"):
        judge(repository)


# What a run leaves behind, forged.


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return out.getvalue()


def summary_of(*teams: str, **changes: object) -> bytes:
    scorings = tuple(
        Scoring(team=team, challenge="sample", status="scored", card=f"{team}/x") for team in teams
    )
    made = Summary(challenge="sample", plan=None, scorings=scorings)
    return json.dumps(json.loads(made.model_dump_json()) | changes).encode()


def forged(team: str = "mine", **changes: object) -> dict[str, bytes]:
    card = make_card(team, **changes)
    return {"summary.json": summary_of(team), f"cards/{team}.json": card.model_dump_json().encode()}


@pytest.fixture
def stand():
    with stand_in() as made:
        made.pulls[5] = PullRequestRecord(
            number=5,
            author="mallory",
            head_repository="mallory/benchmark",
            head_branch="entry",
            head_sha="5" * 40,
            base_sha="6" * 40,
            files=["submissions/mine/model.py", "submissions/mine/submission.yaml"],
        )
        made.pulls[6] = PullRequestRecord(
            number=6,
            author="ada",
            head_repository="ada/benchmark",
            head_branch="entry",
            head_sha="7" * 40,
            base_sha="6" * 40,
            files=["submissions/team_a/model.py"],
        )
        yield made


RUN = FinishedRun.model_validate(
    {
        "id": 11,
        "event": "pull_request",
        "head_sha": "5" * 40,
        "head_branch": "entry",
        "head_repository": {"full_name": "mallory/benchmark"},
    }
)
NO_BOARD = Rivals()


def post(stand, members: dict[str, bytes] | bytes, board: Rivals = NO_BOARD, run=RUN):
    content = members if isinstance(members, bytes) else archive(members)
    stand.artefacts[run.id] = {"score-cards": content}
    forge = Forge(repository=REPOSITORY, token=TOKEN, api=stand.api)
    made = announce(forge, run, board, artefact="score-cards")
    assert stand.faults == []
    return made


def test_the_number_of_the_pull_request_is_the_forges_whatever_the_artefact_says(stand):
    members = forged()
    members["summary.json"] = summary_of("mine", plan=None)
    members["pull_request.json"] = b'{"number": 6}'
    post(stand, members)

    assert 6 not in stand.comments
    assert "pull&#95;request" in stand.comment_of(5)


def test_a_summary_with_a_number_of_its_own_is_no_summary(stand):
    post(stand, {"summary.json": summary_of("mine", number=6)})
    assert 6 not in stand.comments
    assert "cannot be read" in stand.comment_of(5)


def test_a_card_of_another_team_is_left_out(stand):
    members = forged("team_a", title="The winner")
    post(stand, members)
    comment = stand.comment_of(5)

    assert "The winner" not in comment
    assert "does not change" in comment


def test_a_card_under_another_teams_name_is_left_out(stand):
    members = forged("mine")
    members["cards/mine.json"] = make_card("team_a", title="The winner").model_dump_json().encode()
    post(stand, members)
    assert "The winner" not in stand.comment_of(5)


def test_a_higher_score_is_shown_as_unofficial_and_published_by_nothing(stand):
    best = dict.fromkeys(("ato4l", "lq", "h0", "hplus"), 0.9)
    board = Rivals(entries=[Entry(key="team_a/x", card=make_card("team_a", seed=3))])
    made = post(stand, forged(rates=best), board)

    assert "Expected rank 1" in made.body
    assert "Unofficial" in made.body


def test_html_and_markdown_in_every_text_show_as_they_are(stand):
    evil = "</pre><script>alert(1)</script> [x](javascript:1) @all #1 ![](http://e/x.png) | a"
    card = make_card("mine", title=evil, warnings=(evil,), unofficial_because=(evil,))
    failure = Scoring(
        team="mine", challenge="sample", status="failed", exit_code=1, message=f"{evil}\n" * 9
    )
    for summary in (
        summary_of("mine"),
        Summary(challenge="sample", plan=None, scorings=(failure,)).model_dump_json().encode(),
    ):
        body = post(
            stand, {"summary.json": summary, "cards/mine.json": card.model_dump_json().encode()}
        ).body
        for sign in ("<script", "](", "@all", "http://e", " #1"):
            assert sign not in body
        assert "script" in readable(body)


def test_three_hundred_megabytes_are_refused_before_they_are_fetched(stand):
    stand.claimed_bytes = 300 * 2**20
    post(stand, forged())
    assert not any("/zip" in path for _, path in stand.calls)
    assert "314,572,800 bytes" in readable(stand.comment_of(5))


def test_an_archive_that_lies_of_its_size_is_cut_off(stand):
    stand.claimed_bytes = 10
    post(stand, os.urandom(MAX_ARCHIVE_BYTES + 2**20))
    assert "cut off" in stand.comment_of(5)


def test_a_bomb_is_read_up_to_the_limit_and_no_further():
    members = {"summary.json": summary_of("mine"), "cards/mine.json": bytes(300 * 2**20)}
    told = read_archive(archive(members))
    assert told.cards == {}
    assert "larger than" in told.remarks[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 not an archive",
        archive({}),
        archive({"summary.json": b"{"}),
        archive({"summary.json": b"[" * 100_000}),
        archive({"summary.json": b'{"challenge": "sample", "plan": null, "x": 1}'}),
        archive({"summary.json": bytes(2**21)}),
        archive({f"f{i}": b"" for i in range(1000)}),
        archive({"../summary.json": summary_of("mine")}),
    ],
    ids=["empty", "torn", "hollow", "cut", "deep", "field", "zeros", "many", "outside"],
)
def test_an_archive_that_is_none_is_told_in_one_line(content):
    with pytest.raises(DataError):
        read_archive(content)


def test_a_member_given_twice_is_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("summary.json", summary_of("mine"))
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("summary.json", summary_of("team_a"))
    with pytest.raises(DataError, match="twice"):
        read_archive(out.getvalue())


def test_no_card_makes_the_ranking_stumble():
    board = [Entry(key="team_a/x", card=make_card("team_a", seed=3))]
    fine = make_card("mine")
    physics = fine.firmware_physics
    short = physics.model_copy(update={"replicates": dict.fromkeys(physics.replicates, (0.5,))})
    none = physics.model_copy(update={"replicates": {}})
    alone = physics.model_copy(update={"working_points": ()})
    for forged_physics in (short, none, alone):
        card = fine.model_copy(update={"firmware_physics": forged_physics})
        summary = Summary.model_validate_json(summary_of("mine"))
        body = make_comment(summary, {"mine": card}, Rivals(entries=board))
        assert "Not ranked" in readable(body) or "not shown" in readable(body)


def test_a_card_that_brings_its_own_working_point_is_not_ranked():
    card = make_card("mine")
    zero = card.challenge.model_copy(update={"working_point": 0.0})
    forged_card = card.model_copy(update={"challenge": zero})
    summary = Summary.model_validate_json(summary_of("mine"))
    for board in (NO_BOARD, Rivals(rulebook=Rulebook(challenge=RULES))):
        body = readable(make_comment(summary, {"mine": forged_card}, board))
        assert "not shown" in body
        assert "Expected rank" not in body


def test_the_comment_of_a_hundred_long_failures_fits():
    scorings = tuple(
        Scoring(team=f"t{i}", challenge="sample", status="failed", exit_code=1, message="<" * 8000)
        for i in range(100)
    )
    body = make_comment(Summary(challenge="sample", plan=None, scorings=scorings), {}, NO_BOARD)
    assert len(body.encode()) <= MAX_COMMENT_BYTES
    assert body.count("<pre>") == body.count("</pre>") >= 1
    assert body.count("<details") == body.count("</details>")


def test_a_comment_of_another_account_with_our_marker_is_left_alone(stand):
    stand.comments[5] = [(1, "mallory", "<!-- harness: score card --> I won")]
    made = post(stand, forged())
    assert made.outcome == "created"
    assert stand.comments[5][0][2].endswith("I won")


def test_the_comment_is_replaced_in_place_and_never_doubled(stand):
    assert post(stand, forged()).outcome == "created"
    assert post(stand, forged(title="Second")).outcome == "updated"
    assert "Second" in stand.comment_of(5)


def test_a_run_of_a_commit_that_is_no_longer_the_head_says_nothing(stand):
    stand.pulls[5].head_sha = "8" * 40
    assert post(stand, forged()).outcome == "nothing to do"
    assert stand.comments == {}


def test_a_branch_of_the_same_name_in_another_fork_is_not_mistaken(stand):
    stand.pulls[6].head_repository = "mallory/other"
    stand.pulls[6].head_sha = "5" * 40
    post(stand, forged())
    assert 6 not in stand.comments


def test_a_run_that_no_pull_request_started_says_nothing(stand):
    run = RUN.model_copy(update={"event": "push"})
    assert post(stand, forged(), run=run).outcome == "nothing to do"


def test_a_pull_request_without_a_submission_gets_no_comment(stand):
    stand.pulls[5].files = ["README.md"]
    assert post(stand, forged()).outcome == "nothing to do"


def test_a_repository_is_read_without_a_work_tree(repository, tmp_path):
    repository.commit("pr", MINE)
    bare = tmp_path / "bare.git"
    repository.git("clone", "--quiet", "--bare", str(repository.folder), str(bare))
    plan = make_plan(Repository(bare), base="main", head="pr", intake=IntakeRules())
    assert plan.kind == "submissions"


@pytest.mark.parametrize(
    "command",
    ["::add-mask::x", "  ::stop-commands::x", "y" * 190 + " ::add-mask::x", "a ##[add-path]/x"],
)
def test_a_log_gives_no_orders_to_the_runner_that_shows_it(command):
    scoring = Scoring(
        team="mine", challenge="sample", status="failed", exit_code=1, message=f"a\n{command}\nb"
    )
    console = Console(file=io.StringIO(), width=200)
    console.print(scorings_view([scoring]))
    shown = console.file.getvalue()
    assert command[-1] in shown
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
    assert "##[" not in shown


def _raw_tree(repository: GitRepository, entries: list[tuple[str, str, str]]) -> str:
    """Write a tree as it is given, whatever git thinks of it."""
    content = b"".join(
        f"{mode} {name}\0".encode() + bytes.fromhex(oid) for mode, name, oid in entries
    )
    arguments = ("hash-object", "-t", "tree", "-w", "--literally", "--stdin")
    return repository.git(*arguments, content=content)


def _commit_tree(repository: GitRepository, folder: str) -> None:
    """Commit on `pr` what main has, with `folder` as submissions/mine."""
    top = repository.git("ls-tree", "main").splitlines()
    kept = [line for line in top if not line.endswith("\tsubmissions")]
    teams = repository.git("ls-tree", "main:submissions")
    submissions = repository.git(
        "mktree", content=f"{teams}\n040000 tree {folder}\tmine\n".encode()
    )
    tree = repository.git(
        "mktree", content="\n".join([*kept, f"040000 tree {submissions}\tsubmissions\n"]).encode()
    )
    commit = repository.git("commit-tree", tree, "-p", "main", "-m", "x")
    repository.git("update-ref", "refs/heads/pr", commit)


@pytest.mark.parametrize("leaf", ["file", "nothing"])
def test_a_few_objects_that_stand_for_millions_of_files_or_folders(repository, leaf):
    """Ten entries of one tree, eight deep: 10^8 paths from nine objects."""
    blob = repository.blob(b"x")
    tree = _raw_tree(repository, [("100644", "f", blob)] if leaf == "file" else [])
    for _ in range(8):
        tree = _raw_tree(repository, [("40000", f"d{number}", tree) for number in range(10)])
    _commit_tree(repository, tree)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    plan = judge(repository)

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert_refused(plan, "more files than can be listed")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 20.0


def test_the_same_name_twice_in_a_raw_tree(repository):
    files = {name: repository.blob(content) for name, content in MINE.items()}
    evil = repository.blob(b"def score(events): ...\n")
    entries = [
        ("100644", "model.py", files["submissions/mine/model.py"]),
        ("100644", "model.py", evil),
        ("100644", "submission.yaml", files["submissions/mine/submission.yaml"]),
    ]
    _commit_tree(repository, _raw_tree(repository, entries))

    assert_refused(judge(repository), "is there twice")


def test_an_empty_name_is_no_account(repository):
    repository.commit("pr", MINE)
    with pytest.raises(UsageError, match="'' is no account"):
        judge(repository, author="")
