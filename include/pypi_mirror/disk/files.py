"""Files and directories of the mirror: who may read them, how large they are, what their digests are.

What is here is served, so everybody may read it, whatever the umask: that says who else may write.

Errors are ``OSError`` with the path in ``filename`` and the name of the system call before the reason.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from pypi_mirror.digests import hashers

# Strings are welcome wherever a path is: making a Path takes as long as a system call.
StrPath = str | os.PathLike[str]

# Where several users write one mirror, the umask lets their group go on with a file.
MODE = 0o666
# What the web server needs, which runs as another user, whatever the umask.
FILE_READABLE = 0o444
DIRECTORY_READABLE = 0o555
BLOCK = 1 << 20
# Batches make the same directories at once, and remove those of files that did not come.
_MKDIR_TRIES = 10
# What answers a change of mode where the mount option decides over modes, or the file is another user's.
_MODE_REFUSED = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EROFS, errno.ENOSYS, errno.EINVAL})

# What no other path would be spared.
_DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE})


def is_disk_fault(error: OSError) -> bool:
    """Whether the disk (or this process) is at fault, not the one path: full, read-only, broken."""
    return error.errno in _DISK_FAULTS


def name_failure(error: OSError, call: str, path: StrPath) -> None:
    """Have ``error`` name the system call that failed, and ``path``; to be raised again then."""
    if error.errno is not None:
        error.strerror = f"{call}: {os.strerror(error.errno)}"
        error.filename = os.fspath(path)


class NamedCall:
    """Within it, an OSError names the system call that failed, and the path."""

    __slots__ = ("_call", "_path")

    def __init__(self, call: str, path: StrPath) -> None:
        self._call = call
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            name_failure(error, self._call, self._path)


def make_readable(descriptor: int) -> bool:
    """Let everybody read the open file; return False where its mode is not ours to change."""
    mode = os.fstat(descriptor).st_mode
    if mode & FILE_READABLE == FILE_READABLE:
        return True
    return _change_mode(descriptor, mode | FILE_READABLE)


def closed_mode(path: StrPath) -> int | None:
    """The mode of the file or directory at ``path`` where not everybody may read it, else None; symbolic
    links, and what is not there, are not closed.
    """
    try:
        mode = os.stat(path, follow_symlinks=False).st_mode  # noqa: PTH116
    except OSError:
        return None
    needed = DIRECTORY_READABLE if stat.S_ISDIR(mode) else FILE_READABLE
    return None if stat.S_ISLNK(mode) or mode & needed == needed else stat.S_IMODE(mode)


def make_path_readable(path: StrPath) -> bool:
    """Let everybody read the file or enter the directory at ``path``; False where its mode is not ours to
    change.
    """
    mode = closed_mode(path)
    if mode is None:
        return True
    is_directory = os.path.isdir(path)  # noqa: PTH112
    return _change_mode(path, mode | (DIRECTORY_READABLE if is_directory else FILE_READABLE))


def _change_mode(path: StrPath | int, mode: int) -> bool:
    try:
        os.chmod(path, stat.S_IMODE(mode))  # noqa: PTH101 - a descriptor as well
    except OSError as error:
        if error.errno in _MODE_REFUSED:
            return False
        if not isinstance(path, int):
            name_failure(error, "chmod", path)
        raise
    return True


def make_directories(path: str) -> bool:
    """Make the directory ``path`` and those above it that are missing; return whether it was missing itself.

    Everybody may enter those that are made.
    """
    try:
        _make_directory(path)
    except FileExistsError:
        return False
    except OSError as error:
        name_failure(error, "mkdir", path)
        raise
    make_path_readable(path)
    return True


def _make_directory(path: str) -> None:
    for _ in range(_MKDIR_TRIES):
        with suppress(FileNotFoundError):
            os.mkdir(path)  # noqa: PTH102
            return
        above = directory_of(path)
        # Another process may make it meanwhile, or remove it when it is empty. A dangling link, or "" and "/"
        # as their own parents, would never be there.
        if above == path or (
            not make_directories(above) and os.path.lexists(above) and not os.path.exists(above)  # noqa: PTH110
        ):
            break
    os.mkdir(path)  # noqa: PTH102


def size_of(path: StrPath) -> int | None:
    """The size of the regular file at ``path``, None when there is none."""
    try:
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None  # what lies beside a file of the longest name
        name_failure(error, "stat", path)
        raise
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def served_size_of(path: StrPath) -> int | None:
    """The same, None also for a file that the web server may not read."""
    size = size_of(path)
    return None if size is None or closed_mode(path) is not None else size


def sha256_of(path: StrPath) -> str:
    """The SHA-256 of the file at ``path`` in hexadecimal; for a large one, call it in a thread."""
    with (
        os.fdopen(open_file(path, os.O_RDONLY | os.O_CLOEXEC), "rb", buffering=0) as file,
        NamedCall("read", path),
    ):
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests_of(path: StrPath, algorithms: Iterable[str]) -> dict[str, str]:
    """The digests of the file at ``path`` in hexadecimal, by algorithm; it is read once."""
    digests = hashers(algorithms)
    with NamedCall("read", path), open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
        while block := file.read(BLOCK):
            for digest in digests.values():
                digest.update(block)
    return {name: digest.hexdigest() for name, digest in digests.items()}


def link_file(source: str, target: str) -> bool:
    """Give the file at ``source`` the name ``target`` as well; returns whether this file system can."""
    make_directories(os.path.dirname(target))  # noqa: PTH120
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return True
    except OSError as error:
        if is_disk_fault(error):
            name_failure(error, "link", target)
            raise
        return False
    return True


def remove_file(path: StrPath) -> bool:
    """Remove a file or symbolic link; return whether there was one."""
    try:
        os.unlink(path)  # noqa: PTH108
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False  # what lies beside a file of the longest name
        name_failure(error, "unlink", path)
        raise
    return True


def remove_directory_if_empty(path: StrPath) -> bool:
    """Remove ``path`` if it is an empty directory; return whether it was."""
    try:
        os.rmdir(path)  # noqa: PTH106
    except OSError as error:
        # POSIX lets rmdir answer EEXIST for a directory that is not empty.
        if error.errno in {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
            return False
        name_failure(error, "rmdir", path)
        raise
    return True


def open_file(path: StrPath, flags: int) -> int:
    with NamedCall("open", path):
        return os.open(path, flags, MODE)


def directory_of(path: str) -> str:
    # Some files are written for each page: half the time of `dirname`.
    above, slash, _ = path.rpartition("/")
    return above or slash or "."
