"""What the supervisor is told about an end."""

from __future__ import annotations

import errno
import os

import pytest

from heaptui.engine.reports import _passing


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (f"it cannot be launched: [Errno 28] {os.strerror(errno.ENOSPC)}: '/s/1.new'", True),
        (f"cannot fork: {os.strerror(errno.EAGAIN)}", True),
        (f"open /s/tasks/a/1.log: {os.strerror(errno.EDQUOT)}", True),
        (f"exec /bin/x: {os.strerror(errno.EACCES)}", False),
        (f"exec /bin/x: {os.strerror(errno.E2BIG)}", False),
        (None, False),
    ],
)
def test_what_keeps_a_command_from_being_executed_may_not_be_its_own_doing(error, passes):
    assert _passing(error) is passes
