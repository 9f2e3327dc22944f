# shellcheck shell=bash disable=SC2034 # many variables are for the tests
# SPDX-License-Identifier: LGPL-2.1-or-later
# What every integration test stands on. A test is a bash script NNNN-topic.t which begins with
#
#     . "$(dirname "$0")/lib.sh"
#
# and then calls the functions below; each check prints a line of TAP. tests/run starts it (as
# root, with the cluster up). When it ends, in whatever way, the jobs of its users are ended
# and checked: no process or mount is left, no node is drained.
#
# Comment lines at the top of a test steer tests/run:
#     # serial          runs alone, and then nothing at all may be left (loop devices, files)
#     # timeout: 300    seconds (default 120)
#
# Variables: USER1 has supplementary groups vitrine-a and vitrine-b, USER2 has not; both belong
# to this test alone. IMAGES is where make_image puts images; T is this test's own directory
# (of root, readable for all); NODES are the node names of the cluster.
set -u
: "${VITRINE_TEST_WORK:?start tests by tests/run integration PATTERN}"

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
integration=$top/tests/integration
slot=${VITRINE_TEST_SLOT:-0}
USER1=vitrine-u$slot
USER2=vitrine-v$slot
IMAGES=$VITRINE_TEST_CACHE/images
T=$VITRINE_TEST_WORK/$slot
count=0
failures=0
out='' err='' rc=0
finished=''
SHARED=$VITRINE_CLUSTER
own_cluster=''

rm -rf "$T"
mkdir -p "$T"
find "$(getent passwd "$USER1" | cut -d: -f6)" "$(getent passwd "$USER2" | cut -d: -f6)" \
    -mindepth 1 -delete
before=$("$integration/leftovers" ${VITRINE_TEST_ALONE:+--all} "$USER1" "$USER2")

# ---- checks: each prints one line ---------------------------------------------------------

diagnose() {
    printf '%s\n' "$@" | sed 's/^/# /'
}

# report NAME STATUS: the basic one; STATUS 0 is success.
report() {
    count=$((count + 1))
    if [ "$2" = 0 ]; then
        echo "ok $count - $1"
    else
        failures=$((failures + 1))
        echo "not ok $count - $1"
    fi
    return "$2"
}

# On a busy cluster srun tells that it has had to wait for a moment.
without_waits() {
    grep -vE '^srun: (job [0-9]+ (queued and waiting|has been allocated)|Job .*step creation temporarily|Step created for)'
}

# try CMD...: run it; what it wrote is then in $out and $err, its exit code in $rc.
try() {
    tried=$*
    "$@" >"$T/.out" 2>"$T/.err"
    rc=$?
    out=$(tr -d '\0' <"$T/.out") err=$(tr -d '\0' <"$T/.err" | without_waits)
    # Where a step of one node runs is Slurm's choice: the first may complete another job.
    case " $* " in
    *' -N'* | *' -w '* | *' --nodes'* | *' --nodelist'* | *sbatch* | *salloc*) ;;
    *) err=$(sed -E "s/^(vitrine|srun: error|slurmstepd-?): ?(${NODES// /|}): /\\1: ${NODES%% *}: /" <<<"$err") ;;
    esac
}

show_try() {
    diagnose "command: $tried" "exit code: $rc" "stdout: ${out:0:4000}" "stderr: ${err:0:4000}"
}

# ok NAME CMD...: the command succeeds.
ok() {
    try "${@:2}"
    report "$1" "$rc" || show_try
}

# exit_is NAME CODE CMD...: the command ends with this code.
exit_is() {
    try "${@:3}"
    [ "$rc" = "$2" ]
    report "$1" $? || { diagnose "wanted exit code $2" && show_try; }
}

# is NAME GOT WANT
is() {
    [ "$2" = "$3" ]
    report "$1" $? || diagnose "got:  $2" "want: $3"
}

# like NAME GOT REGEX, unlike NAME GOT REGEX (extended)
like() {
    grep -qE -e "$3" <<<"$2"
    report "$1" $? || diagnose "got:  $2" "want: $3"
}

unlike() {
    ! grep -qE -e "$3" <<<"$2"
    report "$1" $? || diagnose "got:      $2" "unwanted: $3"
}

# prints NAME WANT CMD...: the command succeeds and prints exactly this, nothing on stderr.
prints() {
    try "${@:3}"
    [ "$rc" = 0 ] && [ "$out" = "$2" ] && [ -z "$err" ]
    report "$1" $? || { diagnose "wanted: $2" && show_try; }
}

# error_line NAME REGEX [LINES]: the last try said just this on stderr, besides what srun and
# slurmstepd always say about a task that failed.
error_line() {
    local told other
    told=$(grep -vE -e '^srun: error: .*: tasks? [0-9,-]+: ' -e '^srun: (Terminating|Force|Job step)' \
        -e 'srun: launch/slurm: ' -e 'spank: required plugin .* failed with rc=' \
        -e 'Failed to invoke spank plugin stack' \
        -e '\*\*\* STEP .* (CANCELLED|FAILED)' <<<"$err")
    other=$(grep . <<<"$told" | grep -vE -e "$2")
    [ "$(grep -c . <<<"$told")" = "${3:-1}" ] && [ -z "$other" ]
    report "$1" $? || { diagnose "wanted ${3:-1} line(s) like: $2" && show_try; }
}

# skip NAME REASON: a check that cannot be done here.
skip() {
    if [ -n "${VITRINE_MUST_WORK-}" ]; then
        report "$1" 1 || diagnose "would be skipped: $2"
    else
        count=$((count + 1))
        echo "ok $count - $1 # SKIP $2"
    fi
}

# skip_all REASON: the whole test.
skip_all() {
    skip "$(basename "$0" .t)" "$1"
    done_testing
    exit
}

# The last line of each test, so that one which stops half-way is noticed.
done_testing() {
    finished=yes
}

# wait_for SECONDS CMD...: until it succeeds.
wait_for() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    until "${@:2}"; do
        [ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# ---- users and jobs -----------------------------------------------------------------------

# In the user's home, as if logged in; more variables: as_user env A=B CMD.
as_user() {
    "$top/contrib/cluster/run" --user "$USER1" "$@"
}

as_user2() {
    "$top/contrib/cluster/run" --user "$USER2" "$@"
}

as_root() {
    "$top/contrib/cluster/run" "$@"
}

# with_ranges, without_ranges: USER1 has subordinate ids from now on, or none; at its end the
# test must leave him some.
ranges=$(awk -F: -v user="$USER1" '$1 == user { print $2 "-" $2 + $3 - 1; exit }' /etc/subuid)
: "${ranges:=$((3000000 + slot * 65536))-$((3000000 + slot * 65536 + 65535))}"
with_ranges() {
    [ "$(grep -c "^$USER1:" /etc/subuid /etc/subgid | grep -c ':1$')" = 2 ] ||
        usermod -v "$ranges" -w "$ranges" "$USER1"
}
without_ranges() {
    usermod -V "$ranges" -W "$ranges" "$USER1"
}

# try_batch [SBATCH-OPTION]... <SCRIPT: submits as the user and waits. Then $out is what the
# job wrote (both streams), $rc its exit code, $state its state, $err what sbatch said.
try_batch() {
    local job script output=$T/out.$RANDOM code signal
    script=$(mktemp "$T/script.XXXX")
    cat >"$script"
    chmod 644 "$script"
    install -o "$USER1" /dev/null "$output"
    try as_user sbatch --parsable -o "$output" "$@" "$script"
    [ "$rc" = 0 ] || return
    job=${out%%;*}
    if wait_for 60 job_is_over "$job"; then
        code=$(job_field "$job" ExitCode)
        signal=${code#*:}
        rc=${code%:*}
        [ "$signal" = 0 ] || rc=$((128 + signal))
    else
        as_root scancel "$job"
        rc=timeout
    fi
    state=$(job_field "$job" JobState)
    out=$(without_waits <"$output")
}

# job_field JOB NAME: of scontrol show job.
job_field() {
    as_root scontrol -o show job "$1" 2>/dev/null | tr ' ' '\n' | sed -n "s/^$2=//p" | head -n 1
}

job_is_over() {
    case $(job_field "$1" JobState) in
    PENDING | RUNNING | CONFIGURING | COMPLETING | SUSPENDED | STOPPED) return 1 ;;
    esac
}

# ---- clusters -----------------------------------------------------------------------------

# The shared cluster has the plugin, the partition imaged with the image base, and ImageDir.
# private_cluster [OPTION-OF-UP]...: one for this test alone, until it ends or shared_cluster
# is called. With the plugin, unless the options give another.
private_cluster() {
    own_cluster=yes
    export VITRINE_CLUSTER=$T/c
    case " $* " in
    *" --plugin "* | *" --no-plugin "*) ;;
    *) [ -z "${VITRINE_TEST_PLUGIN-}" ] || set -- --plugin "$VITRINE_TEST_PLUGIN" "$@" ;;
    esac
    [ "${1-}" != --no-plugin ] || shift
    "$top/contrib/cluster/up" -q "$@" >"$T/.up" 2>&1 || {
        diagnose "$(cat "$T/.up")"
        report "cluster up $*" 1
        exit 1
    }
    load_nodes
}

shared_cluster() {
    [ -z "$own_cluster" ] || "$top/contrib/cluster/down"
    own_cluster=''
    VITRINE_CLUSTER=$SHARED
    load_nodes
}

load_nodes() {
    # shellcheck source=/dev/null
    . "$VITRINE_CLUSTER/env"
}

nodes_in_trouble() {
    as_root sinfo -h -N -p debug -o '%N %T %E' | grep -vE ' (idle|mixed|allocated|completing|planned) '
}

# ---- images -------------------------------------------------------------------------------

# Trees, made once and cached:
#   base   a minimal system of the host's own distribution, with Python and Perl
#   tiny   busybox and next to nothing else: no home, no /dev/shm, no user names
#   mpi    base with the distribution's Open MPI and MPICH, and their clients of Slurm's PMI
#   rpm    base with rpm, dnf, createrepo_c and setcap
#   owners tiny with files of several owners and modes below /data
tree_base() {
    local mirror suite components=main
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    ! grep -q '^ID=ubuntu' /etc/os-release || components=main,universe
    # shellcheck disable=SC2016 # apt's own variables
    mirror=$(apt-get indextargets --format '$(CODENAME) $(SITE)' |
        awk -v suite="$suite" '$1 == suite { print $2; exit }')
    debootstrap --variant=minbase --include=python3-minimal --components="$components" \
        "$suite" "$1" "$mirror" && rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*
}

tree_tiny() {
    mkdir -p "$1"/{bin,etc,proc,sys,dev,tmp,usr,var/tmp,root}
    chmod 1777 "$1/tmp" "$1/var/tmp"
    ln -s ../bin "$1/usr/bin"
    cp "$(command -v busybox)" "$1/bin/busybox"
    local applet
    for applet in $(busybox --list); do
        [ -e "$1/bin/$applet" ] || ln -s busybox "$1/bin/$applet"
    done
    printf 'ID=tiny\nNAME="Tiny"\nPRETTY_NAME="Tiny 1"\n' >"$1/etc/os-release"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
    echo 'root:x:0:' >"$1/etc/group"
}

tree_mpi() {
    local base
    base=$(make_tree base) && cp -a "$base" "$1" || return
    cp /etc/resolv.conf "$1/etc/resolv.conf"
    chroot "$1" env DEBIAN_FRONTEND=noninteractive sh -ec '
        apt-get -q update
        apt-get -q -y install --no-install-recommends openmpi-bin mpich libpmi2-0
        rm -rf /var/cache/apt/* /var/lib/apt/lists/*'
}

tree_rpm() {
    local base
    base=$(make_tree base) && cp -a "$base" "$1" || return
    cp /etc/resolv.conf "$1/etc/resolv.conf"
    chroot "$1" env DEBIAN_FRONTEND=noninteractive sh -ec '
        apt-get -q update
        apt-get -q -y install --no-install-recommends rpm dnf createrepo-c libcap2-bin
        rm -rf /var/cache/apt/* /var/lib/apt/lists/*'
}

tree_owners() {
    local tiny file
    tiny=$(make_tree tiny) && cp -a "$tiny" "$1" && mkdir "$1/data" || return
    for file in plain hidden owned shared open program; do
        echo $file >"$1/data/$file"
    done
    chmod 0 "$1/data/hidden"
    chmod 660 "$1/data/owned" && chown 33:34 "$1/data/owned"
    chmod 664 "$1/data/shared" && chown 0:42 "$1/data/shared"
    chmod 666 "$1/data/open"
    chmod 6755 "$1/data/program"
    mkdir -m 700 "$1/data/closed" && echo closed >"$1/data/closed/file"
    mkdir -m 777 "$1/data/public" && echo public >"$1/data/public/file"
    mkdir "$1/data/foreign" && chown -R 1000:1001 "$1/data/foreign"
    mkdir -m 1777 "$1/data/sticky"
    mknod -m 666 "$1/data/null" c 1 3
}

# pack TREE FILE [MKSQUASHFS-OPTION]...: as root's, so that the image is a trusted one when it
# lies in a directory of root's below other such.
pack() {
    local level=()
    case " $* " in
    *" -comp "*) ;;
    *) level=(-comp zstd -Xcompression-level 1) ;;
    esac
    rm -f "$2"
    mksquashfs "$1" "$2" -noappend -no-progress -quiet "${level[@]}" "${@:3}"
}

# make_image NAME [MKSQUASHFS-OPTION]...: prints the path of a trusted image: of tree base, a
# SquashFS file for NAME base, a directory for base.dir, a SIF file for base.sif. Other options
# give another file, so "make_image tiny -comp lz4" is cached, too.
make_image() {
    local name=${1%.*} kind=sqfs target
    [ "$name" = "$1" ] || kind=${1##*.}
    shift
    target=$IMAGES/$name$(printf '%s' "$@").$kind
    if [ ! -e "$target" ]; then
        mkdir -p "$IMAGES"
        if ! (
            flock 9
            [ ! -e "$target" ] || exit 0
            build_image "$name" "$kind" "$target" "$@"
        ) 9>"$IMAGES/.lock" >"$T/.image" 2>&1; then
            { echo "# cannot make the image $target:" && sed 's/^/# /' "$T/.image"; } >&2
            return 1
        fi
    fi
    echo "$target"
}

# Under the lock; renamed when complete, so that an interrupted run leaves nothing half-made.
build_image() {
    local temporary=$IMAGES/.new.$1.$2
    make_tree "$1" >/dev/null || return
    case $2 in
    dir) return ;;
    sqfs) pack "$IMAGES/$1.dir" "$temporary" "${@:4}" ;;
    sif) pack "$IMAGES/$1.dir" "$temporary.sqfs" "${@:4}" &&
        "$integration/mksif" "$temporary.sqfs" "$temporary" && rm "$temporary.sqfs" ;;
    *) echo "no images of kind $2" && return 1 ;;
    esac && chmod 644 "$temporary" && mv "$temporary" "$3"
}

make_tree() {
    local tree=$IMAGES/$1.dir new=$IMAGES/.new.$1.dir
    if [ ! -e "$tree" ]; then
        rm -rf --one-file-system "$new"
        (umask 022 && "tree_$1" "$new") >&2 && chmod 755 "$new" && mv "$new" "$tree" || return
    fi
    echo "$tree"
}

# untrusted IMAGE: prints the path of a copy that belongs to USER1.
untrusted() {
    local copy
    copy=$VITRINE_TEST_CACHE/$USER1/$(basename "$1")
    if [ ! -e "$copy" ]; then
        mkdir -p "$VITRINE_TEST_CACHE/$USER1"
        cp -a "$1" "$copy.new" && chown -hR "$USER1:" "$copy.new" && mv "$copy.new" "$copy"
        chown "$USER1:" "$VITRINE_TEST_CACHE/$USER1"
    fi
    echo "$copy"
}

# ---- the end ------------------------------------------------------------------------------

nothing_left() {
    after=$("$integration/leftovers" ${VITRINE_TEST_ALONE:+--all} "$USER1" "$USER2")
    [ "$after" = "$before" ]
}

no_jobs() {
    [ -z "$(as_root squeue -h -u "$USER1,$USER2" -o '%i %T')" ]
}

at_end() {
    trap - EXIT
    [ -n "$finished" ] || report 'the test ran to its end' 1
    # shellcheck disable=SC2046 # numbers
    kill $(jobs -p) 2>/dev/null
    as_root scancel -u "$USER1" 2>/dev/null
    as_root scancel -u "$USER2" 2>/dev/null
    wait_for 10 no_jobs
    report 'no job is left' $? || diagnose "$(as_root squeue)"
    local trouble
    trouble=$(nodes_in_trouble)
    [ -z "$trouble" ]
    report 'no node is drained or down' $? || {
        diagnose "$trouble"
        as_root scontrol update nodename="${NODES// /,}" state=resume 2>/dev/null
    }
    if [ -n "$own_cluster" ]; then
        "$top/contrib/cluster/down"
        VITRINE_CLUSTER=$SHARED
    fi
    wait_for 5 nothing_left
    report 'nothing is left on the host' $? ||
        diagnose "$(diff <(echo "$before") <(echo "$after"))"
    pkill -KILL -u "$USER1,$USER2" 2>/dev/null
    echo "1..$count"
    exit $((failures != 0))
}
trap at_end EXIT
load_nodes
