#!/bin/sh
# Sets up what `make` needs: tools/prepare.sh venv | develop | compiler | redis
#
#   venv      a virtual environment in .venv, made with a Python of 3.11 or later
#   develop   everything that pyproject.toml names, the extras of developers included, in .venv
#   compiler  a C compiler and Python's headers, for the compiled build (not an error if they cannot be had)
#   redis     redis-server and its tools, which the tests compare with
#
# As root on Debian or Ubuntu, what is missing is installed by apt; as anyone else, it is named, and how to get it.
# Everything may be run again at any time, and is quick then.
set -eu
cd "$(dirname "$0")/.."
VENV=.venv

say() { printf '%s\n' "prepare: $*" >&2; }
die() { say "$*"; exit 1; }

can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {
    say "installing by apt: $*"
    if [ ! -e build/.apt-updated ] || [ -n "$(find build/.apt-updated -mmin +600)" ]; then
        apt-get update -q >&2 || say "apt-get update failed; trying with the lists there are"
        mkdir -p build && touch build/.apt-updated
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
}

find_python() {
    for candidate in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            # The interpreter itself: a shim of pyenv depends on the folder in which it is called.
            "$candidate" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

venv_works() { "$VENV/bin/python" -m pip --version >/dev/null 2>&1; }

make_venv() {
    venv_works && return 0
    python=$(find_python) || die "Python 3.11 or later is needed: name it with PYTHON=/path/to/python3"
    say "making $VENV with $python"
    rm -rf "$VENV"
    "$python" -m venv "$VENV" >/dev/null 2>&1 && venv_works && return 0
    # Debian splits ensurepip off into python3-venv. The environment's pip can come from the machine's pip just as well.
    rm -rf "$VENV"
    if "$python" -m venv --without-pip "$VENV" >/dev/null 2>&1 &&
        "$python" -m pip --python "$VENV/bin/python" install -q pip >/dev/null 2>&1 && venv_works; then
        return 0
    fi
    rm -rf "$VENV"
    if can_apt; then
        apt_install python3-venv && "$python" -m venv "$VENV" && venv_works && return 0
    fi
    die "$python can make no virtual environment: install python3-venv (apt-get install python3-venv)"
}

# Done once per content of pyproject.toml: its checksum is in the stamp.
develop() {
    make_venv
    stamp="$VENV/.develop-$(cksum <pyproject.toml | tr -d ' ')"
    [ -e "$stamp" ] && return 0
    compiler
    "$VENV/bin/python" - >"$VENV/requirements.txt" <<'PYTHON'
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)
print("\n".join(project["project"]["dependencies"] + project["project"]["optional-dependencies"]["dev"]))
PYTHON
    say "installing the packages that pyproject.toml names"
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check -r "$VENV/requirements.txt"
    # Has to be compiled at install; without it, RDB files are written uncompressed.
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check 'python-lzf>=0.2.6' >/dev/null 2>&1 ||
        say "python-lzf cannot be compiled here: going on without it"
    rm -f "$VENV"/.develop-*
    touch "$stamp"
}

has_compiler() {
    make_venv
    "$VENV/bin/python" - <<'PYTHON'
import os
import shutil
import sys
import sysconfig

compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
headers = os.path.join(sysconfig.get_path("include"), "Python.h")
sys.exit(not (shutil.which(compiler) and os.path.exists(headers)))
PYTHON
}

compiler() {
    has_compiler && return 0
    if can_apt && apt_install gcc libc6-dev python3-dev && has_compiler; then
        return 0
    fi
    say "no C compiler with Python's headers (apt-get install gcc python3-dev): going on with the plain Python build"
}

redis_tools() {
    missing=""
    for program in redis-server redis-sentinel redis-cli redis-benchmark redis-check-rdb redis-check-aof; do
        command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
    done
    [ -z "$missing" ] && return 0
    can_apt || die "the tests need$missing of Redis 7.0: apt-get install redis-server redis-sentinel redis-tools"
    # Debian starts a service from its package: not wanted, it would hold the port that `make run` serves on.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
        trap 'rm -f '$policy EXIT
    fi
    apt_install redis-server redis-sentinel redis-tools
    for service in redis-server redis-sentinel; do
        if command -v systemctl >/dev/null 2>&1; then
            systemctl disable --now $service >/dev/null 2>&1 || true
        fi
    done
}

case "${1:-}" in
venv) make_venv ;;
develop) develop ;;
compiler) compiler ;;
has-compiler) has_compiler ;;
redis) redis_tools ;;
*) die "usage: tools/prepare.sh venv | develop | compiler | has-compiler | redis" ;;
esac
