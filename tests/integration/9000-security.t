#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Attacks, by the user of a node, by the author of an image and by what a user sets in his
# environment: none gains a right or reads a foreign file.
# timeout: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/attack.sh"

# ---- what a task holds --------------------------------------------------------------------

for image in "$tiny" "$theirs" "$tree"; do
    kind="$(stat -c '%F of %U' "$image")"
    # shellcheck disable=SC2016 # for the task
    prints "$kind: no descriptor besides 0 to 2 in a task" '0 1 2 ' \
        step "$image" sh -c 'for fd in /proc/$$/fd/*; do [ ! -e "$fd" ] || printf "%s " "${fd##*/}"; done'
    # shellcheck disable=SC2016 # for awk
    prints "$kind: no capability, no new ones" '0 1' step "$image" \
        awk '/^Cap(Inh|Prm|Eff|Amb):/ { caps += ($2 != "0000000000000000") }
             /^NoNewPrivs:/ { nnp = $2 } END { print caps, nnp }' /proc/self/status
    prints "$kind: what a task starts neither" '0 1' step "$image" sh -c "sh -c '$T/tool caps'"
done
start_sleeper "$tiny"
report 'a task to attack' $?
as_user "$T/tool" owner "$task" >"$T/owner" 2>&1
is 'the namespaces of a container cannot be entered' "$(cat "$T/owner")" \
    'descriptor: works
owner: 0
user namespace: EPERM
mount namespace: EPERM
user namespace, from an own one: EPERM
mount namespace, from an own one: EPERM'
prints 'nor by a task in one' 'descriptor: works
owner: 0
user namespace: EPERM
mount namespace: EPERM
user namespace, from an own one: EPERM
mount namespace, from an own one: EPERM' step "$tiny" "$T/tool" owner self
let_end

# ---- programs and devices of an image -----------------------------------------------------

mkdir "$own/suid"
cp -a "$tree/." "$own/suid"
install -m 6755 "$tool" "$own/suid/bin/suid"
install -m 755 "$tool" "$own/suid/bin/capable"
setcap cap_dac_override,cap_sys_admin+ep "$own/suid/bin/capable" 2>/dev/null
mkdir "$own/suid/nodes"
mknod -m 666 "$own/suid/nodes/null" c 1 3
mknod -m 666 "$own/suid/nodes/disk" b "$((0x$(stat -c %t /dev/vda 2>/dev/null || echo 7)))" 0
pack "$own/suid" "$own/suid.sqfs" >"$T/pack" 2>&1
chmod 644 "$own/suid.sqfs"
install -o "$USER1" -m 644 "$own/suid.sqfs" "$home/suid.sqfs"
for image in "$own/suid.sqfs" "$home/suid.sqfs" "$own/suid"; do
    kind="$(stat -c '%F of %U' "$image")"
    prints "$kind: a setuid program gains nothing" "$uid $uid $gid $gid" step "$image" /bin/suid
    prints "$kind: nor one with file capabilities" '0 1' step "$image" /bin/capable caps
    try step "$image" sh -c 'cat /nodes/null; echo x >/nodes/null; dd if=/nodes/disk count=1'
    is "$kind: device nodes are dead: exit code" "$rc" 1
    like "$kind: device nodes are dead" "$err" "can't open '/nodes/null': Permission denied"
    like "$kind: block devices, too" "$err" "can't open '/nodes/disk': Permission denied"
    start_sleeper "$image"
    is "$kind: nor does one gain from the host, through /proc" \
        "$(as_user "/proc/$task/root/bin/suid" 2>&1)" "$uid $uid $gid $gid"
    let_end
done

# ---- images full of traps -----------------------------------------------------------------

# trapped NAME: packs $own/trap as an image of root, and copies it to one of the user.
trapped() {
    pack "$own/trap" "$own/trap.sqfs" >"$T/pack" 2>&1
    chmod 644 "$own/trap.sqfs"
    install -o "$USER1" -m 644 "$own/trap.sqfs" "$home/trap.sqfs"
}
fresh_trap() {
    rm -rf --one-file-system "$own/trap"
    cp -a "$tree" "$own/trap"
}
host_state() {
    stat -c '%n %i %y %a %u' /etc /run /home /root /var /etc/passwd /etc/shadow # other tests use /tmp
}

fresh_trap
rm -rf "$own/trap"/{etc,run,home,root,var}
mkdir -p "$own/trap/real" "$own/trap/lib"
cp -a "$tree/etc" "$own/trap/real/etc"
ln -s ../../../../../../real/etc "$own/trap/etc"
ln -s /proc/1/root/run "$own/trap/run"
ln -s ../../../../root "$own/trap/home"
ln -s /proc/self/cwd "$own/trap/root"
ln -s lib/../../../../../real "$own/trap/var"
trapped
state=$(host_state)
for image in "$own/trap.sqfs" "$home/trap.sqfs" "$own/trap"; do
    kind="links out of an image, $(stat -c '%F of %U' "$image")"
    try step "$image" sh -c 'id -un; cd /etc && pwd -P; grep -c . passwd; cat /etc/shadow; ls /root/'
    unlike "$kind: nothing of the host's appears" "$out" 'root:[*!$]'
    if [ "$rc" = 1 ] && [ -z "$out" ]; then
        like "$kind: told in a line" "$err" "vitrine: $node: .*$image"
    else
        like "$kind: they stay inside" "$out" "^/real/etc$"
    fi
    is "$kind: and the host is as before" "$(host_state)" "$state"
done

link_to_itself() {
    ln -s loop "$own/trap/loop"
    rm -rf "$own/trap/etc"
    ln -s loop "$own/trap/etc"
}
thousand_links() {
    local i
    rm -rf "$own/trap/var" "$own/trap/run"
    mkdir -p "$own/trap/l"
    for i in $(seq 999); do ln -s "$((i + 1))" "$own/trap/l/$i"; done
    mkdir "$own/trap/l/1000"
    ln -s l/1 "$own/trap/var"
}
for trap in link_to_itself thousand_links; do
    fresh_trap
    $trap
    trapped
    for image in "$own/trap.sqfs" "$home/trap.sqfs"; do
        try step "$image" true
        is "$trap, image of $(stat -c %U "$image"): fails at once" "$rc" 1
        like 'with a line' "$err" "^vitrine: $node: .*$image.*: Too many levels"
    done
done

# /etc/passwd and /etc/group are read while the root is built.
fifo() { mkfifo "$1"; }
device() { mknod "$1" c 1 5; }
to_shadow() { ln -s ../../../etc/shadow "$1" && install -m 600 /dev/null "$own/trap/etc/shadow"; }
to_host() { ln -s /proc/1/root/etc/shadow "$1"; }
huge() { truncate -s 4G "$1"; }
directory() { mkdir "$1"; }
private() { echo 'secret:x:77:' >"$1" && chmod 600 "$1"; }
for trap in fifo device to_shadow to_host huge directory private; do
    fresh_trap
    rm "$own/trap/etc/passwd" "$own/trap/etc/group"
    $trap "$own/trap/etc/passwd"
    $trap "$own/trap/etc/group" 2>/dev/null
    trapped
    for image in "$own/trap.sqfs" "$home/trap.sqfs" "$own/trap"; do
        begin=${EPOCHREALTIME/[.,]/}
        try step "$image" cat /etc/passwd /etc/group
        took=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
        unlike "/etc/passwd as $trap, $(stat -c '%F of %U' "$image"): nothing is told" \
            "$out$err" 'root:[*!$]|secret'
        like 'the user has a name' "$out" "^$USER1:x:$uid:"
        [ $took -lt 5000 ]
        report 'it takes no time' $? || diagnose "$took ms"
    done
done

# ---- what the user may not read -----------------------------------------------------------

mkdir -m 700 "$own/closed"
cp "$tiny" "$own/closed/tiny.sqfs"
cp -a "$tree" "$own/closed/tree"
install -m 600 "$tiny" "$own/private.sqfs"
for image in "$own/closed/tiny.sqfs" "$own/closed/tree" "$own/private.sqfs"; do
    try step "$image" echo ran
    is "${image#"$own/"}: not for the user" "$rc$out" 1
    like 'because of his rights' "$err" "cannot open image $image: permission denied"
done
for link in root cwd fd/0 fd/9 exe; do
    try step "/proc/self/$link" echo ran
    is "/proc/self/$link: not the user's" "$rc$out" 1
    like 'told in a line' "$err" "^vitrine: $node: cannot open image /proc/self/$link: "
done
for setting in TMPDIR=/ TMPDIR=/proc TMPDIR=/root TMPDIR=/proc/self/fd/7 TMPDIR=/tmp/../root \
    XAUTHORITY=/etc/shadow XAUTHORITY=/root/.Xauthority XAUTHORITY=/proc/self/fd/9 \
    PMIX_SERVER_TMPDIR=relative PMIX_SERVER_TMPDIR=/var/../root PMIX_SERVER_TMPDIR=/root \
    HOME=/root HOME=/etc/shadow SLURM_VITRINE_DIR=relative \
    SLURM_VITRINE_DIR=$'/x\nvitrine: forged' SLURMD_NODENAME=$'x\nvitrine: forged'; do
    name=${setting//$'\n'/ }
    # shellcheck disable=SC2016 # for the task
    try as_user env "$setting" timeout 30 srun --container-image="$tiny" sh -c \
        'id -u; cat /etc/shadow /root/.bashrc /root/.Xauthority 2>/dev/null; ls /root 2>/dev/null'
    is "$name: no foreign file" "$out" "$uid"
    unlike "$name: no forged line" "$err" '^vitrine: '
done
for dir in /usr /etc /bin; do
    # shellcheck disable=SC2016 # for the task; slurmstepd complains that it cannot write there
    try as_user env TMPDIR=$dir timeout 30 srun --container-image="$tiny" \
        sh -c 'echo $(readlink /usr/bin) $(grep ^ID= /etc/os-release)'
    is "TMPDIR=$dir: the image keeps its own" "$out" '../bin ID=tiny'
done
# shellcheck disable=SC2016 # for the task
prints 'SLURM_CONF of the job is not what is shown' "$VITRINE_CLUSTER/slurm.conf" as_user \
    timeout 30 srun --export=ALL,SLURM_CONF=/root/slurm.conf --container-image="$tiny" \
    sh -c 'ls /root/slurm.conf 2>/dev/null; echo "$SLURM_CONF"'
big=$(head -c 100000 /dev/zero | tr '\0' x)
try as_user env "PATH=/usr/bin:/bin:/$big" timeout 30 srun --container-image="$tiny" echo ran
is 'a PATH of 100 KiB, the host'"'"'s' "$rc$out" 0ran

# ---- lines on the terminal ----------------------------------------------------------------

bad=$'line\nvitrine: forged \e[31m'
mkdir -p "$own/$bad"
try as_user timeout 30 srun -D "$own/$bad" --container-image="$tiny" true
unlike 'a directory that cannot be shown: no control character' "$err" "^vitrine: forged|"$'\e'
install -m 644 /etc/hosts "$own/$bad/image"
try as_user timeout 30 env -C "$own/$bad" srun --container-image=./image true
unlike 'an image that is none: no control character' "$err" "^vitrine: forged|"$'\e'
like 'but a line' "$err" '^vitrine: .*cannot use image .*/line\?vitrine: forged \?\[31m/'

# ---- the FUSE server ----------------------------------------------------------------------

cat >"$own/evil.c" <<'END'
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void run(void)
{
    char name[64];
    int comm = open("/proc/self/comm", O_RDONLY), log = open(LOG, O_WRONLY | O_APPEND);
    ssize_t n = read(comm, name, sizeof(name));

    if (n > 0)
        (void)!write(log, name, (size_t)n);
    close(comm);
    close(log);
}
END
log=/var/tmp/vitrine-evil.$slot
ok 'a library to be loaded' cc -shared -fPIC -DLOG="\"$log\"" -o "$own/libevil.so" "$own/evil.c"
install -o "$USER1" -m 666 /dev/null "$log"
install -m 755 "$own/libevil.so" "$home/libevil.so"
base=$(untrusted "$(make_image base)")
as_user timeout 60 srun --export="ALL,LD_PRELOAD=$home/libevil.so,LD_LIBRARY_PATH=$home" \
    --container-env=LD_PRELOAD --container-image="$base" sleep 20 2>/dev/null &
waiting=$!
server_runs() {
    server=$(pgrep -u "$USER1" -x vitrine-fuse) && [ "$(wc -w <<<"$server")" = 1 ] && sleeper
}
wait_for 10 server_runs
report 'a FUSE server' $?
field() {
    sed -n "s/^$1:[[:space:]]*//p" "/proc/$server/status" | tr '\t' ' '
}
is 'it is the user' "$(field Uid)" "$uid $uid $uid $uid"
is 'with his groups' "$(field Groups | sed 's/ $//')" "$(id -G "$USER1" | tr ' ' '\n' | sort -n | xargs)"
is 'without capabilities' "$(grep -cE '^Cap(Inh|Prm|Eff|Amb):.*[1-9a-f]' "/proc/$server/status")" 0
is 'which it cannot get' "$(field NoNewPrivs)" 1
is 'in a session of its own' "$(field NSsid) $(field NSpgid)" "$server $server"
is 'with no directory of the user' "$(readlink "/proc/$server/cwd")" /
is 'in the namespaces of the host' "$(readlink "/proc/$server/ns/mnt" "/proc/$server/ns/user")" \
    "$(readlink /proc/self/ns/mnt /proc/self/ns/user)"
is 'with an empty environment' "$(wc -c <"/proc/$server/environ")" 0
is 'with its descriptors and no others' "$(for fd in "/proc/$server/fd/"*; do
    echo "${fd##*/} $(readlink "$fd" | sed 's/:.*//')"
done)" "0 /dev/null
1 /dev/null
2 pipe
3 $base
4 /dev/fuse
5 pipe"
is 'it has loaded nothing of the user' "$(grep -c -e "$home" "/proc/$server/maps")" 0
is 'though the task has' "$(sort -u "$log")" sleep
# shellcheck disable=SC2016 # for the user's shell
as_user sh -c 'for fd in 2 5; do cat </proc/$0/fd/$fd; echo x >/proc/$0/fd/$fd; done' "$server" \
    >"$T/log" 2>&1
is 'its log cannot be opened by the user' "$(grep -c 'Permission denied' "$T/log")" 4
is 'no loop device has the image' "$(losetup -j "$base")" ''
let_end
rm -f "$log"

# ---- vitrine.conf -------------------------------------------------------------------------

conf=$VITRINE_CLUSTER/vitrine.conf
for mode in 666 664; do
    chmod $mode "$conf"
    try step "$tiny" echo ran
    is "vitrine.conf of mode $mode: refused" "$rc$out" 1
    like 'with the reason' "$err" "^vitrine: $node: $conf must not be writable"
done
chmod 644 "$conf"
chown "$USER1" "$conf"
try step "$tiny" echo ran
is "the user's vitrine.conf: refused" "$rc$out" 1
chown root "$conf"
mv "$conf" "$conf.real"
install -o "$USER1" -m 644 /dev/null "$home/vitrine.conf"
ln -s "$home/vitrine.conf" "$conf"
try step "$tiny" echo ran
is "a link to the user's vitrine.conf: refused" "$rc$out" 1
rm "$conf"
mv "$conf.real" "$conf"
prints 'root alone may write it: taken' ran step "$tiny" echo ran

done_testing
