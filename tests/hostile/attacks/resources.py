"""Attacks that take more than their share."""

from __future__ import annotations

import dataclasses

from harness.errors import LimitError, SubmissionError
from harness.sandbox.step import GIB, MIB
from tests.hostile.attack import LIMITS, Loosened, NotTried, Unguarded, attack
from tests.hostile.attempt import naively

MORE_MEMORY = dataclasses.replace(LIMITS, memory_bytes=3 * GIB)
MORE_PROCESSES = dataclasses.replace(MORE_MEMORY, n_processes=1000)
TOO_MUCH = "800 * 2 ** 20"

attack(
    "fork-bomb",
    kind="resources",
    claim="a step has so many processes and no more",
    code="""
    while True:
        os.fork()
    """,
    ends=LimitError,
    control=NotTried(because="it is a fork bomb"),
)
attack(
    "many-processes",
    kind="resources",
    claim="a step has so many processes and no more",
    code="""
    for n in range(200):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    found = n == 199
    """,
    ends=LimitError,
    says="processes",
    control=Loosened(limits=MORE_PROCESSES),
)
attack(
    "many-threads",
    kind="resources",
    claim="threads count as processes",
    code="""
    import threading
    threading.stack_size(65536)
    for n in range(200):
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    found = n == 199
    """,
    ends=LimitError,
    says="processes",
    control=Loosened(limits=MORE_PROCESSES),
)
attack(
    "allocate",
    kind="resources",
    claim="private memory of a process is limited by the kernel",
    code=f"""
    memory = bytearray({TOO_MUCH})
    found = len(memory)
    """,
    ends=LimitError,
    says="memory",
    control=Loosened(limits=MORE_MEMORY),
)
NOBODYS = "memory that belongs to no process can't be had"
# Each part is dropped from the process when it is written; the pages stay.
DROP = """
    size, part = 800 * 2 ** 20, 80 * 2 ** 20
    memory = mmap.mmap({fd}, size)
    for start in range(0, size, part):
        for place in range(start, start + part, 4096):
            memory[place] = 1
        memory.madvise(mmap.MADV_DONTNEED, start, part)
    time.sleep(0.3)
    found = sum(memory[start] for start in range(0, size, part))
"""
attack(
    "drop-shared-pages",
    kind="resources",
    claim=NOBODYS + ": shared anonymous maps are denied",
    code="    import mmap" + DROP.format(fd="-1"),
)
attack(
    "drop-shared-pages-of-dev-zero",
    kind="resources",
    claim=NOBODYS + ": there is no /dev/zero, whose shared maps are anonymous too",
    code="    import mmap" + DROP.format(fd="os.open('/dev/zero', os.O_RDWR)"),
)
MMAP = """
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 4, ctypes.c_long]
    NO_FILE = 2 ** 32 - 1
"""
attack(
    "page-tables",
    kind="resources",
    claim="page tables, which RLIMIT_DATA does not count, are seen by the parent",
    code=MMAP
    + """
    start = libc.mmap(None, 50_000 << 21, 1, 0x4022, NO_FILE, 0)
    libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(50_000 << 21), 15)
    for n in range(50_000):
        ctypes.c_ubyte.from_address(start + (n << 21)).value
    time.sleep(0.3)
    found = n
    """,
    limits=dataclasses.replace(LIMITS, memory_bytes=128 * MIB),
    ends=LimitError,
    says="memory: .* MiB used, 128 MiB allowed",
    control=Loosened(limits=LIMITS),
)
attack(
    "hold-memory-without-a-first-thread",
    kind="resources",
    claim="a process whose first thread has ended, which then shows no memory, is measured",
    code="""
    import threading
    told, tell = os.pipe()
    def hold():
        memory = b'x' * (200 * 2 ** 20)
        os.write(tell, b'x')
        time.sleep(30)
    for n in range(4):
        if os.fork() == 0:
            threading.Thread(target=hold).start()
            call(60, 93, 0)
    found = len([os.read(told, 1) for n in range(4)]) == 4
    time.sleep(0.3)
    """,
    ends=LimitError,
    says="memory: .* MiB used, 512 MiB allowed",
    control=Loosened(limits=MORE_MEMORY),
)
attack(
    "grow-a-map-downwards",
    kind="resources",
    claim="maps that RLIMIT_DATA takes for a stack can't be had",
    code=MMAP + "    found = libc.mmap(None, 2 ** 30, 3, 0x122, NO_FILE, 0) < 2 ** 63",
)
attack(
    "huge-pages",
    kind="resources",
    claim="huge pages, which are in no sum of memory, can't be had",
    code=MMAP
    + """
    libc.mmap(None, 2 ** 21, 3, 0x40022, NO_FILE, 0)
    found = ctypes.get_errno() != errno.EPERM  # few machines have such pages
    """,
)
attack(
    "fill-pipes",
    kind="resources",
    claim="what lies in pipes counts: two pages for each descriptor",
    code="""
    told, tell = os.pipe()
    for n in range(16):
        if os.fork() == 0:
            for n in range(500):
                _, end = os.pipe()
                os.set_blocking(end, False)
                try:
                    while True:
                        os.write(end, bytes(4096))
                except BlockingIOError:
                    pass
            os.write(tell, b'x')
            time.sleep(30)
    found = len([os.read(told, 1) for n in range(16)]) == 16
    time.sleep(0.3)
    """,
    limits=dataclasses.replace(LIMITS, memory_bytes=96 * MIB),
    ends=LimitError,
    says="memory: .* MiB used, 96 MiB allowed",
    control=Loosened(limits=LIMITS),
)
KERNELS = "memory of the kernel's, which no limit counts, can't be taken"
attack(
    "lists-of-access-rights",
    kind="resources",
    claim=KERNELS + ": setxattr is denied",
    code="""
    import struct
    entries = [(1, -1), *[(2, os.getuid())] * 8000, (4, -1), (16, -1), (32, -1)]
    rights = b''.join(struct.pack('<HHi', tag, 7, who) for tag, who in entries)
    place = f"/dev/shm/{request['marker']}"
    os.mkdir(place)
    try:
        os.setxattr(place, 'system.posix_acl_access', struct.pack('<I', 2) + rights)
        found = True
    finally:
        os.rmdir(place)
    """,
)
attack(
    "watch-descriptors",
    kind="resources",
    claim=KERNELS + ": epoll does not exist",
    code="""
    import select
    held = select.epoll()
    found = True
    """,
)
attack(
    "watch-files",
    kind="resources",
    claim=KERNELS + ": inotify does not exist",
    code="found = libc.inotify_init() >= 0",
)
attack(
    "waiting-reads",
    kind="resources",
    claim=KERNELS + ": io_setup does not exist",
    code="found = call(206, 0, 8, ctypes.byref(ctypes.c_ulong())) == 0",
)
attack(
    "rules-of-landlock",
    kind="resources",
    claim=KERNELS + ": landlock does not exist",
    code="""
    try:
        call(444, 444, None, 0, 1)
        found = True
    except OSError as error:
        found = error.errno == errno.EOPNOTSUPP  # not switched on
    """,
    control=NotTried(because="not every kernel has it"),
)
attack(
    "policies-of-pages",
    kind="resources",
    claim=KERNELS + ": mbind is denied",
    code="""
    try:
        call(237, 235, -1, -1, -1, 0, 0, -1)
    except OSError as error:
        found = error.errno != errno.EPERM
    """,
)
attack(
    "filters-of-its-own",
    kind="resources",
    claim=KERNELS + ": a step can install no filters",
    code="""
    libc.prctl(22, 2, None, 0, 0)
    by_prctl = ctypes.get_errno() == errno.EFAULT
    try:
        call(317, 277, 1, 0, None)
    except OSError as error:
        found = by_prctl or error.errno == errno.EFAULT
    """,
)
attack(
    "timers",
    kind="resources",
    claim="timers and waiting signals are limited",
    code="""
    timer = ctypes.c_void_p()
    for n in range(5000):
        call(222, 107, 1, None, ctypes.byref(timer))
    found = n == 4999
    """,
    control=naively,
)
attack(
    "lock-ranges-of-files",
    kind="resources",
    claim="locked ranges of files, which no limit counts, are counted by the parent",
    code="""
    import fcntl
    for n in range(100):
        file = os.open(f"{os.environ['HOME']}/{n}", os.O_CREAT | os.O_RDWR)
        for place in range(300):
            fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * place)
    time.sleep(0.3)
    found = n == 99
    """,
    ends=LimitError,
    says="file locks: .* used, 10,000 allowed",
    control=naively,
)
attack(
    "lock-ranges-that-have-no-owner",
    kind="resources",
    claim="locks of open files, whose owner no list names, can't be had",
    code="""
    import fcntl, struct
    with open(f"{os.environ['HOME']}/file", 'w') as file:
        fcntl.fcntl(file, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 1, 0))
    found = True
    """,
)
attack(
    "hide-descriptors",
    kind="resources",
    claim="no thread has descriptors of its own, which the parent would not see",
    code="""
    try:
        call(56, 220, 0x10000, 0, 0, 0, 0)
    except OSError as error:
        found = error.errno != errno.EPERM
    """,
)
attack(
    "write-out-the-machines-disks",
    kind="resources",
    claim="sync and syncfs, which wait for everyone's files, are denied",
    code="""
    if libc.syncfs(0) == 0:
        found = True
    elif ctypes.get_errno() == errno.EPERM:
        call(162, 81)
        found = True
    """,
    control=NotTried(because="it would write out all files of this machine"),
)
attack(
    "flood-the-disks",
    kind="resources",
    claim="fsync and its like do nothing: a step can't keep the disks busy with them",
    code="""
    for name, numbers in {'fsync': (74, 82), 'fdatasync': (75, 83), 'ranges': (277, 84)}.items():
        try:
            call(*numbers, -1, 0, 0, 0)
        except OSError:
            found = name
    """,
)
attack(
    "flood-the-disks-by-a-map",
    kind="resources",
    claim="msync does nothing",
    code="""
    try:
        call(26, 227, -1, 0, -1)
    except OSError:
        found = True
    """,
)
attack(
    "share-out-memory-among-processes",
    kind="resources",
    claim="the memory of all processes together is limited",
    code="""
    told, tell = os.pipe()
    for n in range(4):
        if os.fork() == 0:
            memory = b'x' * (200 * 2 ** 20)
            os.write(tell, b'x')
            time.sleep(30)
            os._exit(0)
    found = len([os.read(told, 1) for n in range(4)]) == 4
    time.sleep(0.3)
    """,
    ends=LimitError,
    says="memory: .* MiB used, 512 MiB allowed",
    control=Loosened(limits=MORE_MEMORY),
)
attack(
    "anonymous-files",
    kind="resources",
    claim="memory that belongs to no process can't be had: memfd_create does not exist",
    code="""
    fd = os.memfd_create('hoard')
    found = os.write(fd, b'x')
    """,
)
attack(
    "system-v-shared-memory",
    kind="resources",
    claim="memory that belongs to no process can't be had: shmget does not exist",
    code="""
    name = call(29, 194, 0, 4096, 0o1600)
    call(31, 195, name, 0, None)
    found = True
    """,
)
attack(
    "message-queues",
    kind="resources",
    claim="memory that belongs to no process can't be had: msgget does not exist",
    code="""
    name = call(68, 186, 0, 0o1600)
    call(71, 187, name, 0, None)
    found = True
    """,
)
attack(
    "fill-the-scratch-folder",
    kind="resources",
    claim="the scratch folder has so many bytes and no more",
    code="""
    for n in range(128):
        with open(f"{os.environ['HOME']}/{n}", 'wb') as file:
            file.write(bytes(2 ** 20))
    found = n == 127
    """,
    ends=LimitError,
    says="scratch space",
)
attack(
    "fill-dev-shm",
    kind="resources",
    claim="/dev/shm is the scratch folder",
    code="""
    for n in range(128):
        with open(f"/dev/shm/{request['marker']}{n}", 'wb') as file:
            file.write(bytes(2 ** 20))
    found = n == 127
    for n in range(128):
        os.remove(f"/dev/shm/{request['marker']}{n}")
    """,
    ends=LimitError,
    says="scratch space",
)
attack(
    "many-small-files",
    kind="resources",
    claim="empty files, which have no bytes, are counted by the parent",
    code="""
    for n in range(150_000):
        os.close(os.open(f"{os.environ['HOME']}/{n}", os.O_CREAT | os.O_WRONLY))
    time.sleep(0.3)
    found = n == 149_999
    """,
    limits=dataclasses.replace(LIMITS, wall_s=120.0, cpu_s=120.0),
    ends=LimitError,
    says="temporary files: .* used, 100,000 allowed",
)
attack(
    "sparse-terabyte",
    kind="resources",
    claim="no file can be made longer than the largest output or the scratch folder",
    code="""
    with open(f"{os.environ['HOME']}/sparse", 'wb') as file:
        file.truncate(2 ** 40)
    found = True
    """,
    ends=LimitError,
    says="file size",
    control=NotTried(because="mode none sets the same limit on file sizes"),
)
attack(
    "file-beyond-the-limit-in-another-language",
    kind="resources",
    claim="the signal by which a program learns of a limit is told as that limit",
    code="""
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    with open(f"{os.environ['HOME']}/sparse", 'wb') as file:
        file.truncate(2 ** 40)
    found = True
    """,
    ends=LimitError,
    says="file size",
    control=NotTried(because="mode none sets the same limit on file sizes"),
)
attack(
    "many-descriptors",
    kind="resources",
    claim="a process has so many open files and no more",
    code="""
    held = [os.dup(0) for n in range(5000)]
    found = len(held)
    """,
    ends=LimitError,
    says="open files",
    control=Loosened(limits=dataclasses.replace(LIMITS, n_open_files=10_000)),
)
attack(
    "burn-processor-time",
    kind="resources",
    claim="processor time of all processes together is limited",
    code="""
    for n in range(3):
        if os.fork() == 0:
            while True:
                pass
    while time.process_time() < 1.5:
        pass
    found = True
    """,
    limits=dataclasses.replace(LIMITS, cpu_s=1.0),
    ends=LimitError,
    says="processor time",
    control=Loosened(limits=LIMITS),
)
attack(
    "burn-processor-time-unseen",
    kind="resources",
    claim="time of processes whose parent ignores their end is bounded by the kernel, each alone",
    code="""
    import signal
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    end = time.monotonic() + 4
    if os.fork() == 0:
        while True:
            pass
    while time.monotonic() < end:
        time.sleep(0.1)
    os.kill(os.getpid(), 9)
    """,
    limits=dataclasses.replace(LIMITS, cpu_s=1.0),
    ends=(LimitError, SubmissionError),
    control=NotTried(because="nothing is won: it only ends"),
)
attack(
    "lock-memory",
    kind="resources",
    claim="memory can't be locked beyond a small share",
    code="""
    import mmap
    memory = mmap.mmap(-1, 64 * 2 ** 20)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    found = libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(len(memory))) == 0
    """,
    control=Unguarded(needs_root=True),
)
attack(
    "raise-the-limits-again",
    kind="resources",
    claim="limits that were lowered stay lowered",
    code="""
    import resource
    kinds = (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC)
    for kind in kinds:
        resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    found = True
    """,
    control=NotTried(because="root without CAP_SYS_RESOURCE can't do it either"),
)
