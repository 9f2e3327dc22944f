# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the attacks of 9000 to 9020 share: a directory of root's for images, the tool, and
# steps that wait to be looked at.
own=$VITRINE_TEST_CACHE/$(basename "$0" .t).$slot
# shellcheck disable=SC2034 # for the tests
home=$(getent passwd "$USER1" | cut -d: -f6)
home2=$(getent passwd "$USER2" | cut -d: -f6)
clean() {
    awk -v own="$own/" -v home2="$home2/" \
        'index($5, own) == 1 || index($5, home2) == 1 { print $5 }' /proc/self/mountinfo |
        xargs -r -n 1 umount -l
    rm -rf --one-file-system "$own"
}
trap 'clean; at_end' EXIT
clean
mkdir -p "$own"
private_cluster -n 1
# shellcheck disable=SC2034 # for the tests
{
    node=$NODES
    tiny=$(make_image tiny)
    theirs=$(untrusted "$tiny")
    tree=$(make_tree tiny)
    uid=$(id -u "$USER1")
    gid=$(id -g "$USER1")
    tool=$own/tool
}

step() { # IMAGE CMD...
    as_user timeout 30 srun -Q --container-image="$1" "${@:2}"
}

# A step that only waits: its task is then in $task, until let_end.
sleeping='^(/[a-z/]*/)?sleep 20$'
sleeper() {
    task=$(pgrep -u "$USER1" -f "$sleeping") && [ "$(wc -w <<<"$task")" = 1 ]
}
start_sleeper() { # IMAGE
    step "$1" sleep 20 2>/dev/null &
    waiting=$!
    wait_for 10 sleeper
}
let_end() {
    pkill -u "$USER1" -f "$sleeping"
    wait "$waiting" 2>/dev/null
}

# on_loop NAME IMAGE NUMBER: while a step runs in it, so many loop devices have the image.
on_loop() {
    start_sleeper "$2"
    is "$1" "$(losetup -n -l -O BACK-FILE | grep -cxF -e "$2")" "$3"
    let_end
}

slurmd=$(cat "$VITRINE_CLUSTER/slurmd.$node.pid")
stopped() {
    leader=$(pgrep -U "$USER1" -f 'slurmstepd|vitrine-task' -r T) && [ -n "$leader" ]
}
traced() {
    grep -q '^TracerPid:.*[1-9]' "/proc/$slurmd/status"
}
# stop_at SYSCALL IMAGE [SRUN-OPTION]...: a step whose leader or builder has stopped there, as its
# user could make it by a signal. strace lets go of it.
stop_at() {
    strace -f -qq -o /dev/null -p "$slurmd" -e trace="$1" \
        --inject="$1:signal=SIGSTOP:when=1" &
    local tracer=$!
    wait_for 10 traced
    as_user timeout 30 srun -Q "${@:3}" --container-image="$2" echo ran >"$T/ran" 2>&1 &
    wait_for 10 pgrep -U "$USER1" -f 'slurmstepd|vitrine-task' -r t >/dev/null
    sleep 0.2
    kill "$tracer"
    wait "$tracer" 2>/dev/null
    wait_for 10 stopped
    report "a step stopped in $1" $?
}
go_on() {
    # shellcheck disable=SC2086 # numbers
    as_user kill -CONT $leader
    wait
    is 'which the user makes go on' "$(cat "$T/ran")" ran
}
# shellcheck disable=SC2034 # for the tests
nothing='ptrace: EPERM
mem: EACCES
environ: EACCES
maps: EACCES
auxv: EACCES
fd: EACCES
root: EACCES
cwd: EACCES
ns/mnt: EACCES
ns/user: EACCES'

ok 'the tool is compiled' cc -static -Wall -o "$tool" "$integration/attack.c"
chmod 755 "$own" "$tool"
cp "$tool" "$T/tool"
