#!/usr/bin/env bash
# The system libraries, and a font, that drawing and the panel need: says nothing when all are there, installs what is
# missing where it may (root on Debian or Ubuntu), else prints the command and fails.
set -euo pipefail

declare -A package_of=(
    [libGL.so.1]=libgl1
    [libEGL.so.1]=libegl1
    [libEGL_mesa.so.0]=libegl-mesa0
    [libxkbcommon.so.0]=libxkbcommon0
    [libdbus-1.so.3]=libdbus-1-3
    [libfontconfig.so.1]=libfontconfig1
    [libglib-2.0.so.0]=libglib2.0-0
)

ldconfig=$(PATH="$PATH:/usr/sbin:/sbin" command -v ldconfig || true)
if [ -z "$ldconfig" ]; then
    echo "no ldconfig here: the libraries can't be checked" >&2
    exit 1
fi

missing_packages() {
    local known library
    known=$("$ldconfig" -p)
    for library in "${!package_of[@]}"; do
        [[ "$known" == *"$library "* ]] || echo "${package_of[$library]}"
    done
    # Qt draws no letters without a font.
    [ -n "$(find "${FONTS:-/usr/share/fonts}" -name '*.ttf' -print -quit 2>/dev/null)" ] || echo fonts-dejavu-core
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] && exit 0

install=(apt-get install --yes --no-install-recommends "${missing[@]}")
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]}; install them with" >&2
    echo "    sudo ${install[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
"${install[@]}" >/dev/null 2>&1 || { apt-get update >/dev/null && "${install[@]}" >/dev/null; }

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -ne 0 ]; then
    echo "still missing after installation: ${missing[*]}" >&2
    exit 1
fi
