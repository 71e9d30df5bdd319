"""The program in which generated code runs: `confined_runner.py CONFINEMENT ARGUMENT…`, then as `mimiod`.

Runs by its path, with the standard library only: what the kernel holds has to be in force before a thread
is started, and NumPy starts some. CONFINEMENT is JSON: `path` (of modules), `folder` (with the project),
`writable` (files of it), `hosts` and `ports` (of the database), `names` (whether hosts have to be looked up),
`memory`, `seconds`, `kernel` (whether its barriers have to be there) and `program` (the module to run).
"""

import ctypes
import json
import os
import platform
import resource
import runpy
import socket
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
"System calls, with the same numbers on every architecture."
READ_FILE, READ_DIR, WRITE_FILE, TRUNCATE = 1 << 2, 1 << 3, 1 << 1, 1 << 14
MOST_WRITTEN = 1_000_000
"Bytes of a file that may be written."
CONNECT_TCP = 1 << 1
LANDLOCK_WITH_NETWORK = 4
"The first version of Landlock that knows TCP."
LANDLOCK_WITH_SCOPES = 6
"The first that keeps signals and abstract sockets in."
RIGHTS_SINCE = {13: 2, 14: 3, 15: 5}
"Rights on files by their bits, and the version of Landlock that brought them."

READABLE = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/localtime", "/etc/ld.so.cache",
    "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/ssl",
    "/etc/os-release", "/dev/urandom", "/sys/devices/system/cpu",
)  # fmt: skip
"What a Python program reads of a system, beside its own modules; nothing there is anybody's secret."

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"Of each machine: the kernel's number for it, and its column in REFUSED."
REFUSED = {
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "ptrace": (101,
    117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "tkill": (200, 130),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438),
    "rt_sigqueueinfo": (129, 138), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "setns": (308, 268), "unshare": (272, 97), "bpf": (321, 280),
    "perf_event_open": (298, 241), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "open_by_handle_at": (304, 265), "init_module": (175, 105),
    "finit_module": (313, 273), "kexec_load": (246, 104), "reboot": (169, 142), "setrlimit": (160, 164),
    "settimeofday": (164, 170), "rt_tgsigqueueinfo": (297, 240), "clock_settime": (227, 112),
    "sethostname": (170, 161), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242), "memfd_create": (319, 279),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "swapon": (167, 224),
}  # fmt: skip
"System calls that fail with EPERM: processes, other processes, privileges, servers, ways around the rest."
CLONE, CLONE3, KILL, TGKILL, SOCKET, PRLIMIT = (
    (56, 220), (435, 435), (62, 129), (234, 131), (41, 198), (302, 261)
)  # fmt: skip

LOAD, EQUAL, ANY_BIT, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x45, 0x35, 0x54, 0x06
ALLOW, KILL_PROCESS, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
CLONE_THREAD = 0x00010000
LINUX = sys.platform == "linux"


def landlock_version() -> int:
    """Return the version of Landlock that the kernel has; 0 or less for none."""
    if not LINUX:
        return 0
    return int(ctypes.CDLL(None, use_errno=True).syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1))


def holds() -> bool:
    """Return whether the kernel can hold what runs here: its files, network and processes."""
    return landlock_version() >= LANDLOCK_WITH_NETWORK and platform.machine() in ARCHITECTURES


def roots(confinement: dict) -> list[str]:  # type: ignore[type-arg]
    """Return the folders and files that may be read."""
    return [confinement["folder"], *confinement["path"], sys.prefix, sys.base_prefix, *READABLE]


def limit(memory: int, seconds: int) -> None:
    """Set the limits that every POSIX system has."""
    for name, wanted in (
        ("RLIMIT_AS", memory),
        ("RLIMIT_CPU", seconds),
        ("RLIMIT_FSIZE", MOST_WRITTEN),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NOFILE", 256),
    ):
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(number, (most, most))
        except ValueError:
            if LINUX:  # elsewhere a system may know a limit and refuse to have it set
                raise


def bar_files_and_network(readable: list[str], writable: list[str], ports: list[int]) -> None:
    """Leave, for good, these files to read and to write, and these ports to connect to."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = landlock_version()
    rights = (1 << 13) - 1
    rights |= sum(1 << bit for bit, since in RIGHTS_SINCE.items() if version >= since)
    scopes = 0b11 if version >= LANDLOCK_WITH_SCOPES else 0
    attributes = struct.pack("QQQ", rights, 0b11, scopes)[: 24 if scopes else 16]
    ruleset = libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    checked(ruleset)
    for name in [*readable, *writable]:
        if not os.path.exists(name):  # noqa: PTH110 - as short as it gets
            continue
        allowed = READ_FILE | (READ_DIR if os.path.isdir(name) else 0)  # noqa: PTH112 - as above
        allowed |= WRITE_FILE | TRUNCATE if name in writable else 0
        handle = os.open(name, os.O_PATH | os.O_CLOEXEC)
        checked(libc.syscall(LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", allowed, handle), 0))
        os.close(handle)
    for port in ports:
        checked(libc.syscall(LANDLOCK_ADD, ruleset, 2, struct.pack("QQ", CONNECT_TCP, port), 0))
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    checked(libc.syscall(LANDLOCK_RESTRICT, ruleset, 0))
    os.close(ruleset)


def checked(result: int) -> None:
    """Raise what the last call into the C library met with."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def filter_of_calls(*, names: bool) -> bytes:
    """Return the program by which the kernel judges system calls; with `names`, hosts can be looked up."""
    machine, column = ARCHITECTURES[platform.machine()]
    program = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, machine), (RETURN, 0, 0, KILL_PROCESS), (LOAD, 0, 0, 0)]
    if column == 0:  # calls of the x32 kind have numbers of their own
        program += [(AT_LEAST, 0, 1, 0x40000000), (RETURN, 0, 0, KILL_PROCESS)]
    for number in (numbers[column] for numbers in REFUSED.values()):
        if number is not None:
            program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, EPERM)]
    program += [(EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, ENOSYS)]  # its flags lie in memory
    program += argument(CLONE[column], 0, [(ANY_BIT, 1, 0, CLONE_THREAD), (RETURN, 0, 0, EPERM)])
    for signals in (KILL[column], TGKILL[column]):
        program += argument(signals, 0, [(EQUAL, 1, 0, os.getpid()), (RETURN, 0, 0, EPERM)])
    program += argument(PRLIMIT[column], 2, [(EQUAL, 1, 0, 0), (RETURN, 0, 0, EPERM)])
    program += argument(
        SOCKET[column],
        0,
        [
            (EQUAL, 2, 0, socket.AF_INET),
            (EQUAL, 1, 0, socket.AF_INET6),
            (RETURN, 0, 0, EPERM),
            (LOAD, 0, 0, 24),
            (AND, 0, 0, 0xF),
            (EQUAL, 2 if names else 1, 0, socket.SOCK_STREAM),
            *([(EQUAL, 1, 0, socket.SOCK_DGRAM)] if names else []),
            (RETURN, 0, 0, EPERM),
        ],
    )
    program.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in program)


def argument(
    number: int, index: int, judged: list[tuple[int, int, int, int]]
) -> list[tuple[int, int, int, int]]:
    """Return the steps that judge a call by one of its arguments; past their end it is allowed."""
    body = [(LOAD, 0, 0, 16 + 8 * index), *judged, (RETURN, 0, 0, ALLOW)]
    return [(EQUAL, 0, len(body), number), *body]


def bar_calls(*, names: bool) -> None:
    """Let the kernel judge every system call from now on, in all threads to come."""
    code = filter_of_calls(names=names)
    steps = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(steps))
    checked(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0))


def main(confinement: dict, arguments: list[str]) -> None:  # type: ignore[type-arg]
    """Confine this process, and run the program in it."""
    sys.path[:] = confinement["path"]
    sys.dont_write_bytecode = True
    os.cpu_count = lambda: 1  # a worker process could not be had
    writable = [*confinement["writable"], os.devnull]
    limit(confinement["memory"], confinement["seconds"])
    if confinement["kernel"]:
        bar_files_and_network(roots(confinement), writable, confinement["ports"])
        bar_calls(names=confinement["names"])

    from mimiod.workflow import audit_fence  # noqa: PLC0415 - after the barriers, see above

    audit_fence.put_up(roots(confinement), writable, hosts=confinement["hosts"], ports=confinement["ports"])
    sys.argv = [confinement["program"], *arguments]
    runpy.run_module(confinement["program"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
