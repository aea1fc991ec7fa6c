"""A local stand-in of the Hugging Face Hub: the answers that a data set's repository gives.

The shapes are those that `huggingface_hub` 2.4.0 reads (`HfApi.dataset_info`,
`HfApi.list_repo_tree`, `hf_hub_download`); `tests/integration/test_hub_stand_in.py` lets that
library read the stand-in. The large files lie on another host, as they do there: the Hub answers
with an address that is signed for a while.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from urllib.parse import parse_qs, urlsplit

from tests.file_server import Behaviour, Handler, Served, file_server, serve_well

REPOSITORY = "CERN/anomaly_detection_cmsl1t"
REVISION = "6f1d2a9c0b3e4f5a6978695a4b3c2d1e0f9a8b7c"
PAGE_ENTRIES = 1000


@dataclass
class Hub:
    """A repository of a data set, and the server that holds it."""

    served: Served
    repository: str = REPOSITORY
    revision: str = REVISION
    files: dict[str, bytes] = field(default_factory=dict)
    # What the tree says of each file, by its path; a test may change it.
    tree: dict[str, dict[str, object]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The endpoint."""
        return self.served.url

    def add(self, path: str, content: bytes, behaviour: Behaviour = serve_well) -> None:
        """Add a large file; `behaviour` is that of the host that holds its bytes."""
        oid = sha256(content).hexdigest()
        self.files[path] = content
        self.tree[path] = {
            "type": "file",
            "oid": sha1(content, usedforsecurity=False).hexdigest(),
            "size": len(content),
            "lfs": {"oid": oid, "size": len(content), "pointerSize": 133},
            "xetHash": sha256(b"xet" + content).hexdigest(),
            "path": path,
        }
        self.served.add(f"cdn/{path}", content, behaviour)
        self.served.add(self.resolve_path(path), content, self._resolve(path))

    def publish(self, *, is_main: bool = True) -> None:
        """Answer for all files that were added, as the Hub does for one commit."""
        about = f"api/datasets/{self.repository}"
        info = {
            "_id": "66f1d2a9c0b3e4f5a6978695",
            "id": self.repository,
            "author": self.repository.partition("/")[0],
            "sha": self.revision,
            "lastModified": "2026-10-01T08:00:00.000Z",
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": ["license:cc0-1.0", "format:parquet"],
            "downloads": 123,
            "siblings": [{"rfilename": path} for path in self.tree],
            "createdAt": "2026-09-01T08:00:00.000Z",
        }
        names = [self.revision, *(["main"] if is_main else [])]
        for name in names:
            self.served.add(f"{about}/revision/{name}", json.dumps(info).encode())
            for folder in self.folders():
                self.served.add(f"{about}/tree/{name}/{folder}", b"[]", self._list(folder))
        if is_main:
            self.served.add(about, json.dumps(info).encode())

    def folders(self) -> list[str]:
        """All folders of the repository."""
        found: dict[str, None] = {}
        for path in self.tree:
            parts = path.split("/")
            for depth in range(1, len(parts)):
                found["/".join(parts[:depth])] = None
        return list(found)

    def resolve_path(self, path: str) -> str:
        """Path of the address that stands for the content of a file."""
        return f"datasets/{self.repository}/resolve/{self.revision}/{path}"

    def tree_path(self, folder: str = "data", revision: str | None = None) -> str:
        """Path of the address that lists a folder."""
        return f"api/datasets/{self.repository}/tree/{revision or self.revision}/{folder}"

    def move(self, name: str) -> None:
        """Give the repository another name; the old one leads to it."""
        old = self.repository
        paths = [path for path in self.served.contents if f"/{old}" in path]
        self.repository = name
        for path in paths:
            new = path.replace(f"/{old}", f"/{name}")
            self.served.contents[new] = self.served.contents.pop(path).replace(
                json.dumps(old).encode(), json.dumps(name).encode()
            )
            if path in self.served.behaviours:
                self.served.behaviours[new] = self.served.behaviours.pop(path)
            self.served.add(path[1:], b"", lead_to(new))

    def asked(self, path: str) -> list[str | None]:
        """Return the Range of each request for the bytes of a file."""
        return self.served.asked(f"cdn/{path}")

    def _list(self, folder: str) -> Behaviour:
        entries, revision = self._entries(folder), self.revision

        def behave(handler: Handler, _: bytes, __: int) -> None:
            query = parse_qs(urlsplit(handler.path).query)
            start = int(query.get("cursor", ["0"])[0])
            headers = {"X_Repo_Commit": revision}
            if start + PAGE_ENTRIES < len(entries):
                address = f"{self.url}/{self.tree_path(folder, revision)}"
                following = f"recursive=true&limit={PAGE_ENTRIES}&cursor={start + PAGE_ENTRIES}"
                headers["Link"] = f'<{address}?{following}>; rel="next"'
            answer = json.dumps(entries[start : start + PAGE_ENTRIES]).encode()
            handler.begin(200, len(answer), **headers)
            handler.wfile.write(answer)

        return behave

    def _entries(self, folder: str) -> list[dict[str, object]]:
        inside = [name for name in self.folders() if name.startswith(f"{folder}/")]
        folders = [
            {"type": "directory", "oid": sha1(name.encode()).hexdigest(), "size": 0, "path": name}
            for name in inside
        ]
        return folders + [
            entry for path, entry in self.tree.items() if path.startswith(f"{folder}/")
        ]

    def _resolve(self, path: str) -> Behaviour:
        revision = self.revision

        def behave(handler: Handler, content: bytes, _: int) -> None:
            # "localhost" is another host than "127.0.0.1" to a client.
            host = self.url.replace("127.0.0.1", "localhost")
            handler.begin(
                302,
                0,
                Location=f"{host}/cdn/{path}?Expires=1&Signature=a%2Fb",
                X_Repo_Commit=revision,
                X_Linked_Size=str(len(content)),
                X_Linked_Etag=f'"{sha256(content).hexdigest()}"',
                ETag='"a-part-of-a-page"',
                Accept_Ranges="bytes",
            )

        return behave


def refuse(status: int, code: str, message: str, **headers: str) -> Behaviour:
    """Answer as the Hub does when it refuses: a code and a message in the head."""

    def behave(handler: Handler, _: bytes, __: int) -> None:
        answer = json.dumps({"error": message}).encode()
        named = {"X_Error_Code": code, "X_Error_Message": message} if code else {}
        handler.begin(status, len(answer), **named, **headers)
        handler.wfile.write(answer)

    return behave


def lead_to(path: str, status: int = 307) -> Behaviour:
    """Answer with another address on the same host, as for a repository with a new name."""

    def behave(handler: Handler, _: bytes, __: int) -> None:
        query = urlsplit(handler.path).query
        handler.begin(status, 0, Location=f"{path}?{query}" if query else path)

    return behave


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Run a Hub without any repository until the end of the block."""
    with file_server() as served:
        yield Hub(served)
