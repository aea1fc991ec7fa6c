"""Attacks that take more than their share."""

from __future__ import annotations

import dataclasses

from harness.errors import LimitError, SubmissionError
from harness.sandbox.step import GIB
from tests.hostile.attack import LIMITS, Loosened, NotTried, Unguarded, attack

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
attack(
    "map-shared-memory",
    kind="resources",
    claim="shared memory, which RLIMIT_DATA does not count, is seen by the parent",
    code=f"""
    import mmap
    memory = mmap.mmap(-1, {TOO_MUCH})
    for start in range(0, len(memory), 4096):
        memory[start] = 1
    time.sleep(0.3)
    found = len(memory)
    """,
    ends=LimitError,
    says="memory: .* MiB used, 512 MiB allowed",
    control=Loosened(limits=MORE_MEMORY),
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
