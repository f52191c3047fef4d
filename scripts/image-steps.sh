#!/usr/bin/env bash
# Runs the build steps of a Dockerfile without Docker, in a temporary folder,
# starts what they made the way the image would, and checks that it answers:
#
#   scripts/image-steps.sh Dockerfile [Dockerfile.gpu ...]
#
# Each stage is a folder. COPY copies between them, RUN runs in them with this
# machine's own Go, npm and shell. The RUN of the last stage changes a system,
# so it is skipped; that the base images and Debian's packages are there is thus
# not checked.
set -euo pipefail

source=$(cd "$(dirname "$0")/.." && pwd)
work=
server=
state=

finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$work" ] || rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "image-steps.sh: $*" >&2
    exit 1
}

# instructions prints a Dockerfile's, one a line, without comments.
instructions() {
    sed -e '/^[[:space:]]*#/d' "$1" | sed -e ':a' -e '/\\$/N; s/\\\n[[:space:]]*/ /; ta' -e '/^[[:space:]]*$/d'
}

# copy does what COPY does: the last argument is where to, and a folder when it
# ends in a slash or there are several.
copy() {
    local from=$source options=() to
    while [[ $1 == --* ]]; do
        case $1 in
        --from=*) from=$work/${1#--from=} ;;
        *) fail "COPY $1 is not understood" ;;
        esac
        shift
    done
    to=${!#}
    [[ $to == /* ]] || to=$directory/$to
    to=$root$to
    mkdir -p "$to"
    for name in "${@:1:$#-1}"; do
        if [ -d "$from/$name" ]; then
            [ "$from" != "$source" ] || options=(--exclude-from="$source/.dockerignore")
            tar -C "$from/$name" "${options[@]}" -cf - . | tar -C "$to" -xf -
        else
            cp -a "$from/$name" "$to/"
        fi
    done
}

# build carries out the instructions of a Dockerfile below $work. It leaves the
# last stage in $root, its environment in $environment and its command line in
# $command.
build() {
    local file=$1 last stage=0 instruction rest
    last=$(instructions "$file" | grep -c '^FROM ')
    while read -r instruction rest <&3; do
        case $instruction in
        ARG)
            export "${rest?}"
            ;;
        FROM)
            stage=$((stage + 1))
            root=$work/${rest##* }
            [ "$stage" -lt "$last" ] || root=$work/image
            directory=/ environment=() command=()
            mkdir -p "$root"
            ;;
        WORKDIR)
            directory=$rest
            mkdir -p "$root$directory"
            ;;
        COPY)
            # shellcheck disable=SC2086 # COPY splits at spaces
            copy $rest
            ;;
        RUN)
            if [ "$stage" = "$last" ]; then
                echo "  skipped: RUN ${rest:0:60}..."
            else
                echo "  RUN ${rest:0:90}"
                (cd "$root$directory" && sh -c "$rest" </dev/null) || fail "RUN $rest: failed"
            fi
            ;;
        ENV)
            # shellcheck disable=SC2206
            environment+=($rest)
            ;;
        ENTRYPOINT | CMD)
            mapfile -t -O "${#command[@]}" command < <(python3 -c 'import json, sys; print("\n".join(json.loads(sys.argv[1])))' "$rest")
            ;;
        USER | EXPOSE | HEALTHCHECK | LABEL) ;;
        *) fail "$file: $instruction is not understood" ;;
        esac
    done 3< <(instructions "$file")
}

# inside runs a command of the image, as its user where we may: with nothing of
# our environment, with the folders that the image has on a tmpfs, and with
# nothing of its own that it could write to.
inside() {
    local variables=() as=() entry
    for entry in "${environment[@]}"; do
        case $entry in
        PATH=*) variables+=("PATH=$root${entry#PATH=}") ;;
        XDG_RUNTIME_DIR=*) variables+=("XDG_RUNTIME_DIR=$work/run") ;;
        STATE_DIRECTORY=*) variables+=("STATE_DIRECTORY=$state") ;;
        CUDA_CACHE_PATH=*) variables+=("CUDA_CACHE_PATH=$work/run") ;;
        *) variables+=("$entry") ;;
        esac
    done
    [ "$(id -u)" != 0 ] || as=(setpriv --reuid 10001 --regid 10001 --clear-groups)
    exec env -i PATH="$PATH" "${as[@]}" env -i "${variables[@]}" "TMPDIR=$work/run" "$@"
}

check() {
    local file=$1 key=0123456789abcdef0123456789abcdef url port arguments
    echo "$file"
    work=$(mktemp -d)
    chmod 755 "$work"
    build "$file"
    mkdir -p "$work/run"
    chmod 1777 "$work/run"
    chmod -R a+rX,a-w "$root"

    # Without a key, and without a folder to keep one that it makes, the command of
    # the image must not start.
    state=$root/nowhere
    if (inside "${command[@]}") >"$work/refused" 2>&1; then
        fail "$file: ${command[*]} starts without an API key"
    fi
    grep -q BENDI_API_KEY "$work/refused" || fail "$file: without a key it says: $(cat "$work/refused")"

    state=$work/run/state
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    url=http://127.0.0.1:$port
    arguments=("${command[@]/#0.0.0.0:8080/127.0.0.1:$port}")
    (inside BENDI_API_KEY=$key "${arguments[@]}") >"$work/log" 2>&1 &
    server=$!
    for _ in $(seq 60); do
        (inside bendi health --server "$url") >"$work/health" 2>&1 && break
        kill -0 "$server" 2>/dev/null || fail "$file: it ended: $(cat "$work/log")"
        sleep 0.5
    done
    (inside bendi health --server "$url") || fail "$file: not healthy after 30 s: $(cat "$work/health" "$work/log")"
    local body='{"messages":[{"role":"user","content":"你好"}],"max_tokens":8}'
    [ "$(curl -s -o "$work/answer" -w '%{http_code}' "$url/v1/chat" -d "$body")" = 401 ] || fail "$file: it answers without a key: $(cat "$work/answer")"
    [ "$(curl -s -o "$work/answer" -w '%{http_code}' -H "Authorization: Bearer $key" "$url/v1/chat" -d "$body")" = 200 ] || fail "$file: $(cat "$work/answer" "$work/log")"
    grep -q '"content":"' "$work/answer" || fail "$file: an answer without words: $(cat "$work/answer")"
    kill -TERM "$server"
    wait "$server" || fail "$file: on SIGTERM it ended with code $?: $(cat "$work/log")"
    server=
    du -sh "$root/opt/bendi" | sed "s|$root|  image: |"
    echo "$file: it answers"
    chmod -R u+w "$work"
    rm -rf "$work"
    work=
}

[ $# -gt 0 ] || fail "name a Dockerfile"
for file; do
    check "$source/$file"
done
