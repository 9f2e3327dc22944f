#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --container-save: the saved image is what the tasks have seen, from every kind of base; or the
# old file is what it was, and the user knows why.
# serial
# timeout: 400
# shellcheck disable=SC2016 # variables of commands in containers
. "$(dirname "$0")/lib.sh"

private_cluster
node=${NODES%% *}
rooms=$T/rooms
home=$(getent passwd "$USER1" | cut -d: -f6)
base=$(make_image tiny)
vitrine="^(slurmstepd[^ ]*: |srun: )?(error: )?vitrine: ($node: )?"
file=$home/saved.sqfs

printf '%s\n' "ImageDir=$IMAGES" "ContainerDir=$rooms" ContainerScope=user >"$VITRINE_CLUSTER/vitrine.conf"
run() { # [SRUN-OPTION]... COMMAND
    as_user timeout 60 srun -Q -n1 -w "$node" "$@"
}
no_temporary() { # NAME
    local left
    left=$(find "$home" -name '.*vitrine-*')
    [ -z "$left" ]
    report "$1: no temporary file" $? || diagnose "$left"
}

# ---- what is saved ------------------------------------------------------------------------

# Nothing that a host might show is removed, only directories of an operating system.
# In the container, with a shell and busybox only: what a package manager would do, and worse.
cat >"$T/change" <<'END'
umask 022; rm -rf /usr/srv /usr/opt
mkdir -p /usr/srv/a/b /usr/opt/pkg/bin /var/lib/db
echo new >/usr/srv/a/b/new && ln /usr/srv/a/b/new /usr/srv/a/hard && ln -s ../b/new /usr/srv/a/link && ln -s nowhere /usr/srv/dangling
mkfifo /usr/srv/fifo; touch -d '2001-02-03 04:05:06' /usr/srv/old; chmod 4755 /usr/srv/a/b/new; chmod 1777 /usr/srv/a
dd if=/dev/zero of=/usr/srv/sparse bs=1 seek=8000000 count=1 2>/dev/null; : >/usr/srv/empty
seq 200000 >/usr/srv/large; mkdir -m 700 /usr/srv/closed; echo x >/usr/srv/closed/x; chmod 600 /usr/srv/closed/x
rm -f /bin/ls /etc/os-release; echo ID=changed >/etc/os-release; chmod 600 /etc/passwd
rm -rf /root; mkdir /root; echo replaced >/root/file
mv /usr/opt/pkg /usr/opt/renamed; touch "/usr/srv/a name $(printf '\303\244\t')"
END
# Prints each file with all that stat tells, but for what is made anew for every container.
cat >"$T/list" <<'END'
cd /; find /bin /etc /opt /root /srv /usr /var -xdev 2>/dev/null | sort | grep -vE '^/etc/(passwd|group|hosts|resolv.conf|nsswitch.conf|localtime|hostname|slurm|mtab|timezone|apt)|^/var/(tmp|cache)|^/usr/(lib|bin/s)|^/bin/s' | while IFS= read -r f; do
    if [ -d "$f" ] && [ ! -L "$f" ]; then stat -c '%n %F %a' "$f"; else stat -c '%n %F %a %h %s' "$f"; fi
    if [ -L "$f" ]; then readlink "$f"; elif [ -f "$f" ]; then md5sum <"$f" 2>/dev/null; stat -c %Y "$f"; fi
done
END
chmod 644 "$T/change" "$T/list"

# same NAME SRUN-OPTION...: changes a container, saves it, and compares it with the image.
same() {
    rm -f "$file"
    try run "${@:2}" --container-save="$file" sh -c ". $T/change; sh $T/list >$home/before"
    [ "$rc" = 0 ] && [ -z "$err" ]
    report "$1: saved" $? || show_try
    report "$1: it is there as soon as srun has ended" "$([ -s "$file" ]; echo $?)"
    ok "$1: it runs" run --container-image="$file" --container-writable sh -c "sh $T/list >$home/after"
    cmp -s "$home/before" "$home/after" && [ "$(wc -l <"$home/after")" -gt 100 ]
    report "$1: it is the same" $? || diagnose "$(diff "$home/before" "$home/after" | head -n 20)"
    no_temporary "$1"
}
changed=(--container-writable)
same 'a trusted SquashFS file' --container-image="$base" "${changed[@]}"
ok 'whose owner is root' test "$(unsquashfs -lln "$file" 2>/dev/null | awk '$1 ~ /^[-d]/ { print $2 }' | sort -u)" = 0/0
same 'a FUSE server' --container-image="$(untrusted "$base")" "${changed[@]}"
same 'a SIF file' --container-image="$(make_image tiny.sif)" "${changed[@]}"
as_user mv "$file" "$home/again.sqfs"
same 'a saved file' --container-image="$home/again.sqfs" "${changed[@]}"
cp -a "$IMAGES/tiny.dir" "$T/own.dir" && chown -hR "$USER1:" "$T/own.dir"
same 'a directory below a named container' --container-image="$T/own.dir" --container-name=dir
same 'a directory itself' --container-image="$T/own.dir" "${changed[@]}"
report 'which is changed' "$([ -e "$T/own.dir/usr/srv/sparse" ]; echo $?)"
same 'a named container' --container-image="$base" --container-name=named
prints 'it runs again after that' replaced run --container-name=named cat /root/file
ok 'read-only' run --container-image="$base" --container-readonly --container-save="$file" true
prints 'and unchanged' Tiny run --container-image="$file" sh -c '. /etc/os-release; echo $NAME'
prints 'a named one, read-only' replaced run --container-name=named --container-readonly --container-save="$file" cat /root/file
prints 'what was saved of it' replaced run --container-image="$file" cat /root/file

with_ranges
root=(--container-remap-root --container-image="$base" --container-writable)
same 'a fake root' "${root[@]}"
rm "$file"
ok 'one with ranges' run "${root[@]}" --container-save="$file" sh -c "touch /f && chown 5:7 /f && mkdir -p /d && chown 5:7 /d && chmod 700 /d && chown 1:1 /bin/busybox"
is 'has his ids in the image' "$(unsquashfs -lln "$file" 2>/dev/null | awk '/root\/(f|d|bin\/busybox)$/ { print $2 }' | xargs)" '1/1 5/7 5/7'
without_ranges
same 'a fake root without ranges' "${root[@]}"
with_ranges

# Joined by another step, which saves.
as_user mkdir -p "$home/go"
run --container-name=named sh -c "touch $home/go/up; until test -e $home/go/end; do sleep 0.1; done" &
wait_for 10 test -e "$home/go/up"
prints 'a step that has joined saves' joined run --container-name=named:exec --container-save="$file" sh -c 'echo joined | tee /joined'
ok 'the files are root'\''s there, too' test "$(unsquashfs -lln "$file" 2>/dev/null | awk '$1 ~ /^[-d]/ { print $2 }' | sort -u)" = 0/0
prints 'and what was done' joined run --container-image="$file" cat /joined
touch "$home/go/end"
wait
rm -rf "$home/go"

# ---- the file -----------------------------------------------------------------------------

as_user sh -c "mkdir -p $home/dir && cd $home/dir && echo old >r.sqfs && chmod 640 r.sqfs"
inode=$(stat -c %i "$home/dir/r.sqfs")
exec 7<"$home/dir/r.sqfs"
ok 'a relative name' run --chdir="$home/dir" --container-image="$base" --container-save=r.sqfs true
report 'is where the tasks are' "$([ "$(stat -c %i "$home/dir/r.sqfs")" != "$inode" ]; echo $?)"
is 'whoever reads the old file goes on' "$(cat <&7)" old
exec 7<&-
is 'its mode stays' "$(stat -c '%a %U' "$home/dir/r.sqfs")" "640 $USER1"

refused() { # NAME FILE REGEX
    try run --container-image="$base" --container-save="$2" echo ran
    [ "$rc" != 0 ] && [ -z "$out" ]
    report "$1: refused before anything runs" $? || show_try
    error_line "$1: in one line" "$3"
    no_temporary "$1"
}
as_user sh -c "cd $home && mkdir d && ln -s dir/r.sqfs link && mkfifo fifo"
refused 'a directory' d "${vitrine}cannot save to d: it is a directory$"
refused 'a symbolic link' link "${vitrine}cannot save to link: it is a symbolic link; name the file that it leads to, or remove it$"
refused 'a FIFO' fifo "${vitrine}cannot save to fifo: it is there, and no regular file$"
refused 'a directory that is not there' nowhere/x "${vitrine}cannot save the container to nowhere/x: cannot open directory $home/nowhere: No such file or directory$"
refused 'a directory of root'\''s' /x "${vitrine}cannot save to x: no file can be made in its directory: Permission denied$"
for name in d/ / . .. d/. ''; do
    try as_user srun -Q -n1 -w "$node" --container-image="$base" --container-save="$name" echo ran
    [ "$rc" != 0 ] && [ -z "$out" ] && ! grep -q 'task 0' <<<"$err"
    report "'$name' is refused at submission" $? || show_try
done
try run --container-image="$base" --container-save=x --container-writable=task echo ran
error_line 'a container for each task is refused' "${vitrine}with --container-writable=task there is a container for each task: none of them can be saved$"
report 'all of this has left nothing' "$([ ! -e "$home/x" ] && [ ! -e "$home/d/x" ]; echo $?)"

# ---- steps --------------------------------------------------------------------------------

rm -f "$file"
exit_is 'a failing command' 7 run --container-image="$base" --container-writable --container-save="$file" sh -c 'echo 7 >/f; exit 7'
prints 'is saved' 7 run --container-image="$file" cat /f
exit_is 'several tasks' 5 run -n4 --overcommit --container-image="$base" --container-writable --container-save="$file" \
    sh -c 'test $SLURM_PROCID = 0 || sleep 0.3; echo >/task.$SLURM_PROCID; test $SLURM_PROCID != 2 || exit 5'
prints 'are all waited for' 4 run --container-image="$file" sh -c 'echo /task.* | wc -w'
rm -f "$file"
ok 'two nodes' as_user timeout 60 srun -Q -N2 -n2 --container-image="$base" --container-writable --container-save="$file" sh -c 'echo $SLURM_NODEID >>/id; test $SLURM_NODEID = 0 || sleep 0.5'
prints 'the first one is saved' 0 run --container-image="$file" cat /id
no_temporary 'two nodes'
try_batch -n1 -w "$node" --container-image="$base" --container-writable --container-save="$file" <<'END'
#!/bin/sh
echo batch >/batch
srun -Q -n1 --overlap true
END
is 'a batch script' "$rc $out" '0 ' || diagnose "$out"
prints 'is saved, and its steps are not' batch run --container-image="$file" cat /batch
prints 'it saves where its task is' '1' run --cpu-bind=map_cpu:0 --container-image="$base" --container-save="$file" sh -c '
    for p in /proc/[0-9]*; do
        ! { test -O $p && grep -qs "^Name:.vitrine-save" $p/status && ! grep -qs "^State:.Z" $p/status; } || grep -s Cpus_allowed_list $p/status
    done | grep -cxF "$(grep Cpus_allowed_list /proc/self/status)"'

done_testing
