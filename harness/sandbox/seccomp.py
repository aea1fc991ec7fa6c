"""The system calls that no step may make, as a filter in the kernel's form.

A deny list, because TensorFlow, XLA, compilers and simulators have to run: what is denied is what
reaches into other processes, the kernel's rarely tried corners, memory that no limit counts, and
namespaces. Calls younger than this list do not exist in a sandbox.
"""

from __future__ import annotations

import errno
import functools
import platform
import tempfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from harness.errors import EnvironmentFaultError

# "Not permitted": the caller has to live with it.
DENIED = (
    # Other processes.
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp"),
    *("pidfd_getfd", "perf_event_open", "lookup_dcookie"),
    # The kernel's larger surfaces.
    *("bpf", "userfaultfd", "add_key", "request_key", "keyctl", "vmsplice", "fanotify_init"),
    *("name_to_handle_at", "open_by_handle_at", "personality", "modify_ldt", "uselib", "acct"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "syslog"),
    *("iopl", "ioperm", "reboot", "swapon", "swapoff", "quotactl", "quotactl_fd", "nfsservctl"),
    *("move_pages", "migrate_pages", "vhangup", "ustat", "sysfs"),
    *("settimeofday", "clock_settime", "adjtimex", "clock_adjtime"),
    # They write out what everyone on the machine has not yet written.
    *("sync", "syncfs"),
    # Kernel memory without end that no limit counts: lists of access rights, policies of pages.
    *("setxattr", "lsetxattr", "fsetxattr", "mbind"),
    # Mounts and namespaces.
    *("mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen"),
    *("fsconfig", "fsmount", "fspick", "mount_setattr", "unshare", "setns"),
    *("sethostname", "setdomainname"),
    # Sockets of every family: VSOCK, for one, knows no network namespace.
    *("socket", "socketpair", "bind", "connect", "listen", "accept", "accept4"),
)
# "No such call": programs that ask fall back on an older way.
MISSING = (
    # Its flags lie in memory, where a filter cannot look; the C library then uses clone.
    "clone3",
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    # Memory that is no process's: neither RLIMIT_DATA nor the sum over processes counts it.
    *("memfd_create", "memfd_secret"),
    *("shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semtimedop", "semctl"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "mq_notify"),
    # Kernel memory likewise: lists of watched files, of rules and of waiting reads.
    *("epoll_create", "epoll_create1", "inotify_init", "inotify_init1", "io_setup"),
    *("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"),
)
# "Done", without being done: a flood of them keeps the disks from everyone else. Nothing that a
# step writes has to outlive the machine.
IGNORED = ("fsync", "fdatasync", "msync", "sync_file_range")
# set_mempolicy_home_node; statmount, listmount and lsm_*; then all that is younger than mseal, of
# Linux 6.10. These numbers are the same on every architecture.
MISSING_NUMBERS = (450, *range(457, 462), *range(463, 600))
# From include/uapi/linux/sched.h: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and
# NEWTIME.
NAMESPACE_FLAGS = (
    *(0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000),
    0x00000080,
)
LOW_32_BITS = 0xFFFFFFFF
# What a client of a licence server calls, and with which families of sockets: AF_INET, AF_INET6,
# and AF_NETLINK, by which the C library lists addresses. Of no other family, and to wait for a
# caller, nothing.
TO_CONNECT = ("socket", "connect", "bind")
FAMILIES = (2, 10, 16)
MAX_FAMILY = 63


class Denied(NamedTuple):
    """A call that is denied if one of its arguments, under a mask, has this value."""

    call: str
    errno: int
    argument: int
    mask: int
    value: int


# From include/uapi: linux/sched.h, linux/prctl.h, asm-generic/{ioctls,mman,mman-common,fcntl}.h.
DENIED_ARGUMENTS = (
    *(Denied("clone", errno.EPERM, 0, flag, flag) for flag in NAMESPACE_FLAGS),
    # A thread (0x10000) with descriptors of its own (no 0x400) would hide them from the parent.
    Denied("clone", errno.EPERM, 0, 0x00010400, 0x00010000),
    # TIOCSTI and TIOCLINUX type into, or paste from, a terminal.
    Denied("ioctl", errno.EPERM, 1, LOW_32_BITS, 0x5412),
    Denied("ioctl", errno.EPERM, 1, LOW_32_BITS, 0x541C),
    # MAP_SHARED with MAP_ANONYMOUS: its pages outlive their map, and then are no process's.
    Denied("mmap", errno.EPERM, 3, 0x2F, 0x21),
    # MAP_GROWSDOWN and MAP_HUGETLB: RLIMIT_DATA does not count the first, VmRSS not the second.
    Denied("mmap", errno.EPERM, 3, 0x00100, 0x00100),
    Denied("mmap", errno.EPERM, 3, 0x40000, 0x40000),
    # F_OFD_SETLK and F_OFD_SETLKW: /proc/locks does not say whose they are.
    Denied("fcntl", errno.EINVAL, 1, LOW_32_BITS, 37),
    Denied("fcntl", errno.EINVAL, 1, LOW_32_BITS, 38),
    # PR_SET_SECCOMP: filters, too, are kernel memory.
    Denied("prctl", errno.EPERM, 0, LOW_32_BITS, 22),
)
# The architectures for which this list was written, by libseccomp's names, and the calls on it that
# each of them has never had. Others reach the same work by further calls (`socketcall` and `ipc` of
# s390x and ppc64le, `mmap2` of 32-bit ones) or pass arguments in another order (`clone` of s390x).
ABSENT: Mapping[str, frozenset[str]] = {
    "X86_64": frozenset(),
    "AARCH64": frozenset(
        ("modify_ldt", "uselib", "iopl", "ioperm", "ustat", "sysfs", "epoll_create", "inotify_init")
    ),
}


@functools.cache
def filter_program(*, has_network: bool = False) -> bytes:
    """Return the filter as an array of BPF instructions, as ``bwrap --seccomp`` reads it.

    Parameters
    ----------
    has_network : bool
        For a step that `Step.sees_host`: it may make sockets of the internet and connect them.

    Raises
    ------
    EnvironmentFaultError
        libseccomp is not on this machine, or the filter is not written for its architecture.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise EnvironmentFaultError(
            f"the system-call filter cannot be built: {error}",
            expected="the library libseccomp.so.2",
            fix="install it: `apt-get install libseccomp2` (Debian, Ubuntu), "
            "`dnf install libseccomp` (Fedora, RHEL)",
        ) from error
    rules = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
    for name, number, answer in answers():
        if not (has_network and name in TO_CONNECT):
            rules.add_rule(pyseccomp.ERRNO(answer), number)
    if has_network:
        (number,) = numbers(("socket",)).values()
        for family in set(range(MAX_FAMILY + 1)) - set(FAMILIES):
            is_it = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, LOW_32_BITS, family)
            rules.add_rule(pyseccomp.ERRNO(errno.EPERM), number, is_it)
        # Without the mask: what lies above the lower half is no family either.
        rules.add_rule(
            pyseccomp.ERRNO(errno.EPERM), number, pyseccomp.Arg(0, pyseccomp.GT, MAX_FAMILY)
        )
    for rule in DENIED_ARGUMENTS:
        condition = pyseccomp.Arg(rule.argument, pyseccomp.MASKED_EQ, rule.mask, rule.value)
        (number,) = numbers((rule.call,)).values()
        rules.add_rule(pyseccomp.ERRNO(rule.errno), number, condition)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def answers() -> Iterator[tuple[str, int, int]]:
    """Yield name, number and errno of each call that is denied whatever its arguments."""
    for names, answer in ((DENIED, errno.EPERM), (MISSING, errno.ENOSYS), (IGNORED, 0)):
        for name, number in numbers(names).items():
            yield name, number, answer
    for number in MISSING_NUMBERS:
        yield f"call {number}", number, errno.ENOSYS


def numbers(names: tuple[str, ...]) -> dict[str, int]:
    """Return the numbers of those system calls that this architecture has.

    Raises
    ------
    EnvironmentFaultError
        The list was not written for this architecture, or libseccomp knows no number of a call
        that it should have: no rule is left out in silence.
    """
    import pyseccomp

    absent = ABSENT[architecture()]
    found = {
        name: pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
        for name in names
        if name not in absent
    }
    # A name without a number of its own gets a negative one.
    unknown = [name for name, number in found.items() if number < 0]
    if unknown:
        raise EnvironmentFaultError(
            f"libseccomp does not know the system calls {', '.join(unknown)}",
            expected="libseccomp 2.5.3 or later",
            fix="install a later libseccomp2",
        )
    return found


def architecture() -> str:
    """Return libseccomp's name of the architecture of this program.

    Raises
    ------
    EnvironmentFaultError
        The list of calls was not written for it.
    """
    import pyseccomp

    native = pyseccomp.system_arch()
    for name in ABSENT:
        if getattr(pyseccomp.Arch, name) == native:
            return name
    raise EnvironmentFaultError(
        f"the filter of system calls is not written for this architecture ({platform.machine()})",
        expected="a 64-bit Python on x86-64 or 64-bit ARM",
        fix="score on such a machine; --unsafe runs code that you trust without a sandbox",
    )
