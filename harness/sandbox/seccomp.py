"""The system calls that no step may make, as a filter in the kernel's form.

A deny list, because TensorFlow, XLA, compilers and simulators have to run: what is denied is what
reaches into other processes, the kernel's rarely tried corners, memory that no limit counts, and
namespaces. Calls younger than this list do not exist in a sandbox.
"""

from __future__ import annotations

import errno
import functools
import tempfile

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
    *("settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "stime"),
    # Mounts and namespaces.
    *("mount", "umount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen"),
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
)
# statmount, listmount and lsm_*; then all that is younger than mseal (Linux 6.10). These numbers
# are the same on every architecture.
MISSING_NUMBERS = (*range(457, 462), *range(463, 600))
# From include/uapi/linux/sched.h: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and
# NEWTIME.
NAMESPACE_FLAGS = (
    *(0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000),
    0x00000080,
)
# TIOCSTI and TIOCLINUX type into, or paste from, a terminal.
TERMINAL_REQUESTS = (0x5412, 0x541C)
# libseccomp's __NR_SCMP_ERROR; lower numbers stand for calls of other architectures.
NO_SUCH_NAME = -1
LOW_32_BITS = 0xFFFFFFFF


@functools.cache
def filter_program() -> bytes:
    """Return the filter as an array of BPF instructions, as ``bwrap --seccomp`` reads it.

    Raises
    ------
    EnvironmentFaultError
        libseccomp is not on this machine.
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
    for number in _numbers(DENIED):
        rules.add_rule(pyseccomp.ERRNO(errno.EPERM), number)
    for number in (*_numbers(MISSING), *MISSING_NUMBERS):
        rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), number)
    for flag in NAMESPACE_FLAGS:
        rules.add_rule(
            pyseccomp.ERRNO(errno.EPERM), "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag)
        )
    for request in TERMINAL_REQUESTS:
        rules.add_rule(
            pyseccomp.ERRNO(errno.EPERM),
            "ioctl",
            pyseccomp.Arg(1, pyseccomp.MASKED_EQ, LOW_32_BITS, request),
        )
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _numbers(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the numbers of those system calls that this architecture has."""
    import pyseccomp

    found = {name: pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in names}
    unknown = [name for name, number in found.items() if number == NO_SUCH_NAME]
    if unknown:
        raise EnvironmentFaultError(
            f"libseccomp does not know the system calls {', '.join(unknown)}",
            expected="libseccomp 2.5.3 or later",
            fix="install a later libseccomp2",
        )
    return tuple(number for number in found.values() if number >= 0)
