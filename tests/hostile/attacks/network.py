"""Attacks that talk to someone."""

from __future__ import annotations

from tests.hostile.attack import NotTried, Unguarded, attack

NO_SOCKETS = "no socket of any family can be made"

attack(
    "connect-to-loopback",
    kind="network",
    claim=NO_SOCKETS,
    code="""
    import socket
    with socket.create_connection(('127.0.0.1', request['tcp_port']), timeout=5) as peer:
        found = peer.getpeername()[1] == request['tcp_port']
    """,
)
attack(
    "listen-on-a-port",
    kind="network",
    claim=NO_SOCKETS,
    code="""
    import socket
    with socket.create_server(('127.0.0.1', 0)) as server:
        found = server.getsockname()[1]
    """,
)
attack(
    "send-a-datagram",
    kind="network",
    claim=NO_SOCKETS,
    code="""
    import socket
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        found = sender.sendto(b'scores', ('127.0.0.1', 53))
    """,
)
attack(
    "ask-the-name-service",
    kind="network",
    claim="there is neither a resolver nor a hosts file",
    code="""
    import socket
    found = socket.getaddrinfo('localhost', 80)
    """,
)
attack(
    "connect-to-a-unix-socket",
    kind="network",
    claim=NO_SOCKETS + ", and the host's are not there",
    code="""
    import socket
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(request['unix_path'])
        found = True
    """,
)
attack(
    "connect-to-an-abstract-socket",
    kind="network",
    claim=NO_SOCKETS + ", and abstract names belong to the host's network namespace",
    code="""
    import socket
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect('\\0' + request['abstract_name'])
        found = True
    """,
)
attack(
    "pass-descriptors-over-a-socket-pair",
    kind="network",
    claim=NO_SOCKETS,
    code="""
    import socket
    found = bool(socket.socketpair())
    """,
)
attack(
    "netlink",
    kind="network",
    claim=NO_SOCKETS,
    code="""
    import socket
    with socket.socket(16, socket.SOCK_RAW, 0) as kernel:
        found = True
    """,
)
attack(
    "raw-packets",
    kind="network",
    claim=NO_SOCKETS,
    code="""
    import socket
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        found = True
    """,
    control=Unguarded(needs_root=True),
)
attack(
    "vsock-to-the-hypervisor",
    kind="network",
    claim=NO_SOCKETS + ": VSOCK ignores network namespaces",
    code="""
    import socket
    try:
        socket.socket(40, socket.SOCK_STREAM)
        found = True
    except PermissionError:
        found = False
    except OSError as error:
        # The kernel was asked, and has no such family: the filter did not stop it.
        found = error.errno == errno.EAFNOSUPPORT
    """,
)
attack(
    "crypto-sockets",
    kind="network",
    claim=NO_SOCKETS,
    code="""
    import socket
    try:
        socket.socket(38, 5, 0)
        found = True
    except PermissionError:
        found = False
    except OSError as error:
        found = error.errno == errno.EAFNOSUPPORT
    """,
)
attack(
    "sockets-by-the-32-bit-door",
    kind="network",
    claim="calls of another architecture end the process",
    code="""
    import mmap
    if platform.machine() == 'x86_64':
        # socketcall(SYS_SOCKET, arguments) lies elsewhere on i386: getpid is enough to get in.
        page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)  # RWX
        page.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        found = ctypes.CFUNCTYPE(ctypes.c_int)(address)() == os.getpid()
    """,
    control=NotTried(because="not every kernel has 32-bit calls"),
)
