"""The variables that a test's children are started with: of the test's own making.

What a developer's shell exports (PYTHONUNBUFFERED, a locale, HF_HOME, NO_COLOR, ...) neither hides
a failure nor causes one. What the machine needs to run programs and to reach its package index
is kept.
"""

from __future__ import annotations

import os
import sys

KEPT = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR"),
    # Windows finds its libraries, its programs and its folders through these.
    *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE"),
    *("APPDATA", "LOCALAPPDATA", "HOMEDRIVE", "HOMEPATH"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
}
# CPGPT_DOCTOR_TEST_* are the suite's own settings.
KEPT_PREFIXES = (
    *("LD_", "DYLD_", "CUDA_", "NVIDIA_", "NVPL_", "PYENV_", "PIP_", "SSL_CERT_"),
    *("PYTEST_", "CPGPT_DOCTOR_TEST_"),
)
# Tests run side by side, a process for each core: PyTorch's threads would wait for each other by
# computing, and take four times as long.
THREADS = {"OMP_NUM_THREADS": "1"}
LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"


def on_disk(name: str) -> str:
    """A file's name as these bytes of UTF-8, whatever the encoding of this process."""
    return os.fsdecode(name.encode())


def clean_environment(**extra: str) -> dict[str, str]:
    """What the machine needs, a UTF-8 locale, one thread, and `extra`, which goes before all."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_PREFIXES)
    }
    return {**kept, "LANG": LOCALE, **THREADS, **extra}
