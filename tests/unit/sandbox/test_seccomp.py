"""The filter answers each call on its list, on every architecture that it is built for."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from struct import iter_unpack

import pyseccomp
import pytest

from harness.errors import EnvironmentFaultError
from harness.sandbox import open_sandbox, probe, seccomp
from harness.sandbox.seccomp import ABSENT, DENIED, DENIED_ARGUMENTS, IGNORED, MISSING

NAMES = (*DENIED, *MISSING, *IGNORED, *(rule.call for rule in DENIED_ARGUMENTS))
# From include/uapi/linux/seccomp.h and audit.h.
ALLOW, RETURN_ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x00000000
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
OTHER_ARCH = 0x80000016  # s390x


def run_filter(program: bytes, number: int, arguments: tuple[int, ...], arch: int) -> int:
    """Return what a filter answers: a slow twin of the kernel's interpreter.

    A word of the call lies at a multiple of 4 bytes: number, architecture, address, arguments.
    """
    halves = [half for word in (0, *arguments) for half in (word & 0xFFFFFFFF, word >> 32)]
    words = [number, arch, *halves]
    code = [*iter_unpack("<HBBI", program)]
    place, held = 0, 0
    while True:
        kind, if_true, if_false, value = code[place]
        place += 1
        match kind:
            case 0x20:  # load
                held = words[value // 4]
            case 0x54:  # and
                held &= value
            case 0x05:  # jump
                place += value
            case 0x15 | 0x25 | 0x35 | 0x45:  # jump if equal, greater, at least, any bit
                is_true = {
                    0x15: held == value,
                    0x25: held > value,
                    0x35: held >= value,
                    0x45: bool(held & value),
                }[kind]
                place += if_true if is_true else if_false
            case 0x06:  # return
                return value
            case _:
                raise AssertionError(f"an instruction that this interpreter lacks: {kind:#x}")


def each_rule() -> Iterator[tuple[str, int, tuple[int, ...], int]]:
    """Yield what each rule denies: name, number, arguments and errno."""
    for name, number, answer in seccomp.answers():
        yield name, number, (0, 0, 0, 0, 0, 0), answer
    for rule in DENIED_ARGUMENTS:
        (number,) = seccomp.numbers((rule.call,)).values()
        # Bits that the mask does not cover make no difference.
        value = rule.value | 0xABCD0000_00000000
        arguments = tuple(value if n == rule.argument else 0 for n in range(6))
        yield f"{rule.call} {rule.value:#x}", number, arguments, rule.errno


def answer(program: bytes, number: int, arguments: tuple[int, ...]) -> int:
    return run_filter(program, number, arguments, AUDIT_ARCH[platform.machine()])


def test_each_rule_of_the_list_is_in_the_filter():
    program = seccomp.filter_program()

    wrong = [
        name
        for name, number, arguments, expected in each_rule()
        if answer(program, number, arguments) != RETURN_ERRNO | expected
    ]

    assert wrong == []


@pytest.mark.parametrize("name", ["read", "mmap", "clone", "fcntl", "prctl", "ioctl", "futex"])
def test_other_calls_are_allowed(name):
    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)

    assert answer(seccomp.filter_program(), number, (0, 0, 0, 0, 0, 0)) == ALLOW


def test_calls_of_another_architecture_end_the_process():
    program = seccomp.filter_program()

    assert run_filter(program, 0, (0, 0, 0, 0, 0, 0), OTHER_ARCH) == KILL


def test_the_filter_is_a_program_of_whole_instructions():
    program = seccomp.filter_program()

    assert len(program) % 8 == 0
    assert len(program) // 8 < 4096  # BPF_MAXINSNS


def test_no_call_is_listed_twice():
    names = (*DENIED, *MISSING, *IGNORED)

    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ABSENT)
def test_what_has_no_number_on_an_architecture_is_listed_as_absent(name):
    arch = getattr(pyseccomp.Arch, name)

    assert {call for call in NAMES if pyseccomp.resolve_syscall(arch, call) < 0} == ABSENT[name]


@pytest.mark.parametrize("name", ["S390X", "PPC64LE", "X86", "ARM", "RISCV64"])
def test_on_another_architecture_there_is_no_sandbox(monkeypatch, name):
    """On s390x no rule denied sockets: `socketcall` makes them, and no rule said so."""
    monkeypatch.setattr(pyseccomp, "system_arch", lambda: getattr(pyseccomp.Arch, name))
    monkeypatch.setattr(seccomp, "filter_program", seccomp.filter_program.__wrapped__)
    monkeypatch.setattr("harness.sandbox.run.filter_program", seccomp.filter_program)

    with pytest.raises(EnvironmentFaultError, match="not written for this architecture"):
        open_sandbox("bwrap")
    assert "not written for" in probe().problems[0].what


@pytest.mark.parametrize("number", [-1, -101])
def test_a_call_without_a_number_ends_the_building_of_the_filter(monkeypatch, number):
    known = pyseccomp.resolve_syscall
    monkeypatch.setattr(
        pyseccomp,
        "resolve_syscall",
        lambda arch, name: number if name == "socket" else known(arch, name),
    )

    with pytest.raises(EnvironmentFaultError, match="does not know the system calls socket"):
        seccomp.filter_program.__wrapped__()
