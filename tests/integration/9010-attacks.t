#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Attacks with mounts of one's own and with signals at the worst moment: no image that a user
# could have written gets to the kernel, nobody gets into a process that prepares, and nobody
# holds up another user.
# serial
# timeout: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/attack.sh"

# ---- what the kernel may parse ------------------------------------------------------------

cp "$tiny" "$own/mine.sqfs"
chmod 644 "$own/mine.sqfs"
on_loop 'a trusted image is on a loop device' "$own/mine.sqfs" 1
on_loop "the user's is not" "$theirs" 0
chmod 664 "$own/mine.sqfs"
on_loop 'nor what a group can write' "$own/mine.sqfs" 0
chmod 644 "$own/mine.sqfs"
ok 'an access control list' setfacl -m "u:$USER1:rw" "$own/mine.sqfs"
on_loop 'nor what it lets somebody write' "$own/mine.sqfs" 0
setfacl -b "$own/mine.sqfs"
chmod 1777 "$own"
on_loop 'nor what lies in a directory like /tmp' "$own/mine.sqfs" 0
chmod 755 "$own"
mkdir "$own/inner" "$own/mount"
install -m 644 "$tiny" "$own/inner/tiny.sqfs"
pack "$own/inner" "$home/inner.sqfs" >"$T/pack" 2>&1
chmod 644 "$home/inner.sqfs"
chown "$USER1" "$own/mount"
"$tool" serve "$own/mount" "$uid" "$gid" "$home/inner.sqfs" \
    "$VITRINE_TEST_PREFIX/libexec/vitrine/vitrine-fuse" >"$T/serve" 2>&1 &
is_served() {
    grep -q mounted "$T/serve" && as_user test -e "$own/mount/tiny.sqfs"
}
wait_for 10 is_served
report "a user's own FUSE mount" $?
is 'where all seems to be of root' \
    "$(as_user stat -c '%u %a' "$own/mount" "$own/mount/tiny.sqfs" | xargs)" '0 755 0 644'
on_loop 'is not trusted' "$own/mount/tiny.sqfs" 0
umount "$own/mount"
wait

# ---- what a mount hides -------------------------------------------------------------------

cp -a "$tree" "$own/covered"
echo hidden >"$own/covered/var/tmp/secret"
mount -t tmpfs none "$own/covered/var"
try step "$own/covered" cat /var/tmp/secret
is 'a directory with a mount in it is no image' "$rc$out" 1
error_line 'which is told' "^vitrine: $node: cannot use directory $own/covered as an image: something is mounted in it, at $own/covered/var; name a directory without mounts\$"
try step / echo ran
is 'nor is the root directory of the host' "$rc$out" 1
umount "$own/covered/var"
prints 'without the mount it is one' ran step "$own/covered" echo ran

# ---- other users --------------------------------------------------------------------------

mkdir "$home2/mount"
chown "$USER2" "$home2/mount"
chmod 755 "$home2"
"$tool" serve "$home2/mount" "$(id -u "$USER2")" "$(id -g "$USER2")" >"$T/serve2" 2>&1 &
wait_for 10 grep -q mounted "$T/serve2"
report "another user's FUSE mount, which never answers" $?
prints 'does not keep a step from starting' ran step "$tiny" echo ran
pkill -u "$USER2" -x tool
wait
prints 'nor when it is dead' ran step "$tiny" echo ran
umount "$home2/mount"

for call in openat2 fsopen unshare move_mount pivot_root setns; do
    stop_at $call "$tiny"
    for pid in $leader; do
        is "process $(cat "/proc/$pid/comm"): the user cannot get into it" \
            "$(as_user "$T/tool" intrude "$pid")" "$nothing"
    done
    go_on
done
stop_at flock "$own/mine.sqfs"
prints 'holds up no other user' ran as_user2 timeout 10 srun --container-image="$tiny" echo ran
go_on
stop_at unshare "$theirs"
try as_user2 timeout 10 srun --container-image="$tiny" echo ran
is 'nor with FUSE' "$rc $out" '0 ran'
go_on

done_testing
