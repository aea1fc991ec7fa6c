"""Attacks by system calls: numbers are those of x86-64 and arm64."""

from __future__ import annotations

from tests.hostile.attack import NotTried, Unguarded, attack

DENIED = "the system-call filter denies it"
ROOT = Unguarded(needs_root=True)

attack(
    "ptrace",
    kind="kernel",
    claim=DENIED,
    code="""
    call(101, 117, 0, 0, 0, 0)  # PTRACE_TRACEME
    found = True
    """,
)
attack(
    "process-vm-readv",
    kind="kernel",
    claim=DENIED,
    code="""
    secret = ctypes.create_string_buffer(b'secret')
    copy = ctypes.create_string_buffer(6)
    class Piece(ctypes.Structure):
        _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]
    here, there = (Piece(ctypes.addressof(place), 6) for place in (copy, secret))
    call(310, 270, os.getpid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    found = copy.raw == b'secret'
    """,
)
attack(
    "pidfd-getfd",
    kind="kernel",
    claim=DENIED,
    code="""
    found = call(438, 438, os.pidfd_open(os.getpid()), 1, 0) >= 0
    """,
)
for name, flag in {
    "user": 0x10000000,
    "mount": 0x00020000,
    "network": 0x40000000,
    "pid": 0x20000000,
}.items():
    attack(
        f"unshare-the-{name}-namespace",
        kind="kernel",
        claim=DENIED,
        code=f"""
        if os.fork() == 0:
            try:
                call(272, 97, {flag})
            finally:
                os._exit(1 if sys.exc_info()[0] else 0)
        found = os.wait()[1] == 0
        """,
        control=Unguarded(needs_root=name != "user"),
    )
CLONE = """
    SIGCHLD = 17
    child = call({x86_64}, {aarch64}, {arguments})
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    found = True
"""
attack(
    "clone-into-a-user-namespace",
    kind="kernel",
    claim=DENIED + " by its flags",
    code=CLONE.format(x86_64=56, aarch64=220, arguments="0x10000000 | SIGCHLD, 0, 0, 0, 0"),
)
attack(
    "clone3-into-a-user-namespace",
    kind="kernel",
    claim="clone3, whose flags a filter can't see, does not exist",
    code="""
    arguments = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
    """
    + CLONE.format(x86_64=435, aarch64=435, arguments="arguments, 88"),
)
attack(
    "setns",
    kind="kernel",
    claim=DENIED,
    code="""
    call(308, 268, os.pidfd_open(os.getpid()), 0x04000000)
    found = True
    """,
    control=ROOT,
)
attack(
    "chroot",
    kind="kernel",
    claim=DENIED,
    code="""
    os.chroot('/')
    found = True
    """,
    control=ROOT,
)
attack(
    "mount-a-file-system",
    kind="kernel",
    claim=DENIED,
    code="""
    place = os.environ['HOME'] + '/mount'
    os.mkdir(place)
    call(165, 40, b'none', place.encode(), b'tmpfs', 0, None)
    found = True
    call(166, 39, place.encode(), 0)
    """,
    control=ROOT,
)
attack(
    "mount-by-the-new-calls",
    kind="kernel",
    claim=DENIED,
    code="found = call(430, 430, b'tmpfs', 0) >= 0",
    control=ROOT,
)
attack(
    "remount-the-root-writable",
    kind="kernel",
    claim=DENIED,
    code="""
    call(165, 40, b'none', b'/', None, 0x20, None)
    found = True
    """,
    control=NotTried(because="it would remount the root of this machine"),
)
attack(
    "pivot-root",
    kind="kernel",
    claim=DENIED,
    code="""
    try:
        call(155, 41, b'/no-such', b'/no-such')
    except FileNotFoundError:
        # The kernel looked: it would have done it.
        found = True
    """,
    control=ROOT,
)
attack(
    "open-by-handle",
    kind="kernel",
    claim=DENIED,
    code="""
    handle = (ctypes.c_uint32 * 34)(128)
    mount = ctypes.c_int()
    call(303, 264, -100, os.environ['HOME'].encode(), handle, ctypes.byref(mount), 0)
    found = True
    """,
)
attack(
    "bpf",
    kind="kernel",
    claim=DENIED,
    code="""
    attributes = (ctypes.c_uint32 * 32)(2, 4, 4, 1)
    found = call(321, 280, 0, attributes, 128) >= 0
    """,
    control=ROOT,
)
attack(
    "io-uring",
    kind="kernel",
    claim=DENIED,
    code="found = call(425, 425, 1, (ctypes.c_uint32 * 30)()) >= 0",
)
attack(
    "kernel-keys",
    kind="kernel",
    claim=DENIED,
    code="found = call(248, 217, b'user', b'harness', b'state', 5, -2) >= 0",
)
attack("session-keyring", kind="kernel", claim=DENIED, code="found = call(250, 219, 0, -3, 1) >= 0")
attack("userfaultfd", kind="kernel", claim=DENIED, code="found = call(323, 282, 1) >= 0")
attack(
    "perf-events",
    kind="kernel",
    claim=DENIED,
    code="""
    attributes = (ctypes.c_uint64 * 16)(1 | (128 << 32))
    found = call(298, 241, attributes, 0, -1, -1, 0) >= 0
    """,
    control=ROOT,
)
attack(
    "kernel-log",
    kind="kernel",
    claim=DENIED,
    code="found = call(103, 116, 10, 0, 0) > 0",
    control=ROOT,
)
attack(
    "kernel-modules",
    kind="kernel",
    claim=DENIED,
    code="""
    try:
        call(313, 273, -1, b'', 0)
    except OSError as error:
        found = error.errno == errno.EBADF
    """,
    control=NotTried(because="not every kernel loads modules"),
)
attack(
    "personality",
    kind="kernel",
    claim=DENIED,
    code="""
    call(135, 92, 0x0040000)  # no randomised addresses
    found = True
    """,
)
attack(
    "fanotify", kind="kernel", claim=DENIED, code="found = call(300, 262, 0, 0) >= 0", control=ROOT
)
attack(
    "set-the-clock",
    kind="kernel",
    claim=DENIED,
    code="""
    now = (ctypes.c_int64 * 2)()
    call(228, 113, 0, now)
    call(227, 112, 0, now)
    found = True
    """,
    control=NotTried(because="it would set this machine's clock"),
)
attack(
    "type-into-the-terminal",
    kind="kernel",
    claim=DENIED + ": TIOCSTI and TIOCLINUX",
    code="""
    import fcntl
    try:
        fcntl.ioctl(os.open('/dev/null', os.O_RDWR), 0x5412, b'x')
    except OSError as error:
        found = error.errno == errno.ENOTTY
    """,
)
attack(
    "call-younger-than-the-filter",
    kind="kernel",
    claim="calls that the filter's authors could not know do not exist",
    code="""
    # setxattrat of Linux 6.13, with a file that is not there.
    try:
        call(463, 463, -100, b'/no-such-file', 0, b'user.x', None, 0)
    except OSError as error:
        found = error.errno not in (errno.ENOSYS, errno.EPERM)
    """,
    control=NotTried(because="it needs a kernel younger than 6.12"),
)
attack(
    "x32-calls",
    kind="kernel",
    claim="calls of another architecture end the process",
    code="""
    if platform.machine() == 'x86_64':
        found = libc.syscall(0x40000000 | 39) == os.getpid()
    """,
    control=NotTried(because="few kernels have x32 calls"),
)
attack(
    "become-root",
    kind="kernel",
    claim="no user of a sandbox is root, nor can become it",
    code="""
    for become in (os.setuid, os.seteuid, os.setgid):
        try:
            become(0)
        except OSError:
            continue
    found = 0 in (os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups())
    """,
    control=ROOT,
)
attack(
    "capabilities",
    kind="kernel",
    claim="no capability is held, and none can be gained",
    code="""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    held = (ctypes.c_uint32 * 6)()
    call(125, 90, header, held)
    bounding = [number for number in range(41) if libc.prctl(24, number, 0, 0, 0) == 1]
    ambient = [number for number in range(41) if libc.prctl(47, 1, number, 0, 0) == 1]
    gain = libc.prctl(39, 0, 0, 0, 0) != 1
    found = [list(held), bounding, ambient, gain] if any(held) or bounding or ambient or gain else 0
    """,
    control=ROOT,
)
attack(
    "real-time-priority",
    kind="kernel",
    claim="a step can't starve the scorer",
    code="""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    found = True
    """,
    control=ROOT,
)
