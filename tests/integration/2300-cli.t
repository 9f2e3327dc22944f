#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 600
# vitrine pack, unpack, info, verify and the completion, as an ordinary user does it.
. "$(dirname "$0")/lib.sh"

vitrine=$VITRINE_TEST_PREFIX/bin/vitrine
home=$(getent passwd "$USER1" | cut -d: -f6)
cd "$home" || exit

v() {
    as_user "$vitrine" "$@"
}

# one_line NAME CODE REGEX: the last try ended with this code and one line of error.
one_line() {
    [ "$rc" = "$2" ] && [ -z "$out" ] && [ "$(grep -c . <<<"$err")" = 1 ] &&
        grep -qE -e "^vitrine: .*($3)" <<<"$err"
    report "$1" $? || { diagnose "wanted exit code $2 and an error like: $3" && show_try; }
}

# All of a tree, one entry a line: what is the same in two is the same. Sizes of directories
# are the file system's own affair.
list() (
    cd "$1" || exit
    export LC_ALL=C
    find . -type d -print0 | sort -z | xargs -0 stat -c '%N %f %u:%g %Y'
    find . ! -type d -print0 | sort -z | xargs -0 stat -c '%N %f %u:%g %Y %t,%T %s %h'
    find . -print0 | sort -z | xargs -0 getfattr -hdm-
    find . -type f -size -100000k -print0 | sort -z | xargs -0 md5sum
)

# same NAME DIR DIR
same() {
    list "$2" >"$T/.want" && list "$3" >"$T/.got" && [ -s "$T/.want" ] && cmp -s "$T/.want" "$T/.got"
    report "$1" $? || diagnose "$(diff -a "$T/.want" "$T/.got" | head -20)"
}

only_these() { # NAME FILE...: nothing else is in the user's home, hidden files neither
    is "$1" "$(find . -mindepth 1 -maxdepth 1 ! -name '.?*' -o -name '.*vitrine*' | sed 's|^./||' | LC_ALL=C sort | xargs)" "${*:2}"
}

# ---- a round trip -------------------------------------------------------------------------

cat >"$T/fill" <<'END'
set -e
mkdir -p tree/deep tree/many tree/closed
cd tree
for i in $(seq 3000); do : >many/a-file-with-a-name-$i; done
seq 100000 >numbers
: >empty
head -c 131072 /dev/zero | tr '\0' x >block
truncate -s 5G sparse
printf y | dd of=sparse bs=1 seek=4500000000 conv=notrunc status=none
ln numbers deep/again
ln -s ../numbers deep/soft
ln -s /nowhere/at/all dangling
mkfifo fifo
touch -- -rf $'new\nline' $'\xff\xfe' ' blank ' "$(printf '%0255d' 0)"
setfattr -n user.one -v 1 numbers
setfattr -n user.two -v "$(printf '%03000d' 0)" numbers
setfattr -n user.dir -v x deep
chmod 4755 block; chmod 0444 empty; chmod 01777 deep
here=deep
for i in $(seq 60); do here=$here/$(printf '%0100d' $i); mkdir "$here" 2>/dev/null || break; done
touch -d 2001-02-03T04:05:06Z numbers many; touch -hd 2002-02-03T04:05:06Z dangling
echo x >closed/x; chmod 0555 closed
END
ok 'a tree of a user' as_user bash "$T/fill"
ok 'is packed' v pack tree x.sqfs
is 'which prints nothing' "$out" ''
prints 'the image is sound' 'x.sqfs: sound' v verify x.sqfs
prints 'and quiet about it if that is wanted' '' v verify -q x.sqfs
ok 'it is unpacked' v unpack x.sqfs y
unlike 'and nothing was lost' "$out$err" 'this user may not'
same 'as it was' tree y
is 'and with its holes' "$(($(stat -c %b y/sparse) < 1024))" 1
only_these 'nothing else is left' tree x.sqfs y
ok 'packed again' v pack tree x2.sqfs
ok 'it is the same file' cmp x.sqfs x2.sqfs
ok 'root may own all of it' v pack --root-owned tree x2.sqfs
is 'and does' "$(unsquashfs -lln x2.sqfs | grep -E '^[a-z-]{10}' | awk '{ print $2 }' | sort -u)" 0/0
ok 'into a directory that is there' as_user sh -c "mkdir z && chmod 750 z && $vitrine unpack x.sqfs z"
is 'which keeps its mode' "$(stat -c %a z)" 750
ok 'and has the same' as_user diff -r --no-dereference tree/many z/many
as_user chmod -R u+w y z && as_user rm -rf y z x2.sqfs

# ---- images of others ---------------------------------------------------------------------

for comp in gzip xz lzo lz4 zstd; do
    image=$(make_image tiny -comp $comp)
    ok "$comp: is sound" v verify -q "$image"
    ok "$comp: is unpacked" v unpack "$image" y
    like "$comp: that owners are lost is told once" "$err" '^vitrine: this user may not .* owners \([0-9]+\)'
    ok "$comp: has all" diff -r --no-dereference "$(make_image tiny.dir)" y
    as_user rm -rf y
done
sif=$(make_image tiny.sif)
ok 'SIF: is sound' v verify -q "$sif"
ok 'SIF: is unpacked' v unpack -q "$sif" y
is 'and -q is quiet' "$err" ''
ok 'SIF: has all' diff -r --no-dereference "$(make_image tiny.dir)" y
as_user rm -rf y

# ---- info ---------------------------------------------------------------------------------

json() { # IMAGE PYTHON-EXPRESSION
    v info --json "$1" | python3 -c "import json, sys; i = json.load(sys.stdin); print($2)"
}
is 'info: format' "$(json x.sqfs 'i["format"], i["compressor"], i["block_size"]')" 'squashfs zstd 131072'
is 'info: size' "$(json x.sqfs 'i["size"], i["offset"]')" "$(stat -c %s x.sqfs) 0"
is 'info: files' "$(json x.sqfs 'i["files"]')" "$(unsquashfs -s x.sqfs | awk '/^Number of inodes/ { print $4 }')"
is 'info: SIF' "$(json "$sif" 'i["format"], i["architecture"], i["offset"] > 0')" "sif $(uname -m) True"
is 'info: trust' "$(json "$sif" 'i["kernel_mount"]')" "{'trusted': True, 'reason': None}"
like 'info: and why there is none' "$(json x.sqfs 'i["kernel_mount"]["reason"]')" "$USER1|$(id -u "$USER1")|owner"
as_user mkdir -p meta/.vitrine meta/bin
printf 'env=A=b\0env=ODD=\377"\\\n\303\251\0workdir=/w\0entrypoint=/e\0entrypoint=x y\0cmd=c\0user=7:8\0volume=/v\0' |
    as_user tee meta/.vitrine/config >/dev/null
echo '{"architecture": "arm64", "config": {"Labels": {"l": "1", "\ud800": "x"}}}' |
    as_user tee meta/.vitrine/config.json >/dev/null
ok 'an image that says what it is' v pack meta meta.sqfs
is 'info: variables, odd bytes too' "$(json meta.sqfs 'ascii(i["config"]["env"])')" \
    "['A=b', 'ODD=\\ufffd\"\\\\\\n\\xe9']"
is 'info: words' "$(json meta.sqfs 'i["config"]["entrypoint"], i["config"]["cmd"]')" "['/e', 'x y'] ['c']"
is 'info: the rest' "$(json meta.sqfs 'i["config"]["workdir"], i["config"]["user"], i["config"]["volumes"], i["config"]["labels"]["l"], i["architecture"]')" \
    "/w 7:8 ['/v'] 1 aarch64"
try v info meta.sqfs
like 'info: for people' "$out" "^Entry point:  '/e' 'x y'\$"
is 'info: no control characters' "$(tr -d '\n' <<<"$out" | tr -cd '\001-\037')" ''
is 'info: a directory' "$(json meta 'i["format"], i["config"]["user"]')" 'directory 7:8'
is 'info: leaves nothing' "$(find /tmp -maxdepth 1 -name 'vitrine-*' -user "$USER1")" ''

# ---- refusals -----------------------------------------------------------------------------

as_user mkdir full && as_user touch full/x
try v unpack -q x.sqfs full
one_line 'not into a directory that is not empty' 1 'full: it is not empty'
try v unpack -q x.sqfs x.sqfs
one_line 'not over a file' 1 'no directory'
try v unpack -q meta y
one_line 'not a directory' 1 'it is a directory'
try v verify -q nosuch
one_line 'a file that is not there' 1 'nosuch: No such file'
try v verify -q /etc/passwd
one_line 'a file that is no image' 1 '/etc/passwd'
try v pack -q nosuch n.sqfs
one_line 'a directory that is not there' 1 'nosuch: No such file'
install -m 600 /dev/null full/secret && install -d -m 700 full/private
try v pack -q full n.sqfs
one_line 'what cannot be read' 1 'full: 2 files cannot be read, the first is /private: .*Permission denied'
rm -r full/secret full/private
for n in 1000 20000 $(($(stat -c %s x.sqfs) - 5000)); do
    as_user head -c "$n" x.sqfs >"$T/.cut" && install -o "$USER1" "$T/.cut" cut.sqfs
    try v unpack cut.sqfs y
    one_line "an image of $n bytes: unpack" 1 'truncated'
    try v verify cut.sqfs
    one_line "an image of $n bytes: verify" 1 'truncated'
done
ok 'an image with checksums' as_user mksquashfs tree bad.sqfs -comp gzip -quiet -no-progress -e sparse
dd if=/dev/urandom of=bad.sqfs bs=1 seek=5000 count=200 conv=notrunc status=none
try v verify -q bad.sqfs
one_line 'a damaged image: the file is named' 1 'bad.sqfs is damaged: /(numbers|deep/again): '
try v unpack -q bad.sqfs y
one_line 'a damaged image is not unpacked' 1 'cannot unpack bad.sqfs: /(numbers|deep/again): '
as_user rm bad.sqfs cut.sqfs
only_these 'nothing was made' full meta meta.sqfs tree x.sqfs

# A link that leads away and a directory of the same name: what is behind it stays as it is.
as_user sh -c 'mkdir -p trick/name-2 victim && ln -s ../victim trick/name-1 && echo new >trick/name-2/file && echo old >victim/file'
ok 'a hostile image' as_user mksquashfs trick trick.sqfs -quiet -no-progress -noI -noD -noF -noX
sed -i 's/name-2/name-1/' trick.sqfs
try v unpack -q trick.sqfs y
one_line 'two files of one name' 1 'cannot unpack trick.sqfs'
is 'nothing was written through the link' "$(cat victim/file)" old
as_user rm -rf trick trick.sqfs victim

# ---- full disks, ends in between ----------------------------------------------------------

mkdir -p "$T/small" && mount -t tmpfs -o size=200k,mode=1777 none "$T/small"
try v unpack -q x.sqfs "$T/small/y"
one_line 'a full disk: unpack' 1 'No space left'
is 'nothing is left of it' "$(ls -A "$T/small")" ''
try v unpack -q x.sqfs "$T/small"
one_line 'a full disk, in place' 1 'No space left'
is 'nothing is left of that' "$(ls -A "$T/small")" ''
as_user sh -c 'head -c 1000000 /dev/urandom >full/noise'
try v pack -q full "$T/small/n.sqfs"
one_line 'a full disk: pack' 1 'No space left'
is 'nothing is left of this' "$(ls -A "$T/small")" ''
umount "$T/small"

# Killed at some points: DIR is not there, or whole.
whole=0
for ms in 5 20 50 100 200 400; do
    as_user timeout -s KILL "0.$(printf '%03d' $ms)" "$vitrine" unpack -q x.sqfs y >/dev/null 2>&1
    [ ! -e y ] || { cmp -s <(list tree) <(list y) || break; }
    [ ! -e y ] || whole=$((whole + 1))
    as_user sh -c 'chmod -R u+w y; rm -rf y' 2>/dev/null
    as_user timeout -s KILL "0.$(printf '%03d' $ms)" "$vitrine" pack -q tree n.sqfs >/dev/null 2>&1
    [ ! -e n.sqfs ] || v verify -q n.sqfs || break
    rm -f n.sqfs
done
is 'killed at any time, there is nothing or all' "$ms" 400
ok 'the next one' v unpack x.sqfs y
as_user sh -c 'chmod -R u+w y; rm -rf y'
only_these 'removes what was left' full meta meta.sqfs tree x.sqfs
as_user timeout -s INT 0.05 "$vitrine" unpack -q x.sqfs y >/dev/null 2>"$T/.interrupted"
as_user sh -c 'chmod -R u+w y; rm -rf y' 2>/dev/null
only_these 'interrupted, it removes all itself' full meta meta.sqfs tree x.sqfs

# ---- the command line ---------------------------------------------------------------------

prints 'version' "vitrine $(sed -n "s/^ *version: '\(.*\)',/\1/p" "$top/meson.build")" v --version
ok 'help' v --help
like 'names the commands' "$(wc -l <<<"$out") $out" '^ *[0-9]+ Usage: vitrine COMMAND'
for command in import pack unpack info verify; do
    ok "help of $command" v help $command
    like "says what it wants" "$out" "^Usage: vitrine $command "
    try v $command --no-such-option
    one_line "$command: an unknown option" 2 '--no-such-option'
    try v $command
    one_line "$command: without arguments" 2 'an argument is missing'
    try v $command a b c
    one_line "$command: with too many" 2 'too many arguments'
done
try v
one_line 'no command' 2 'a command is missing'
try v unpakc
one_line 'a slip of the pen' 2 'unknown command unpakc; do you mean unpack\?'
try v info --config
one_line 'an option without its value' 2 '--config needs a value'
exit_is 'output that cannot be written' 1 as_user sh -c "$vitrine --help >/dev/full"

completion=$VITRINE_TEST_PREFIX/share/bash-completion/completions/vitrine
complete_to() { # NAME WANT WORD...: what bash offers for the last of the words
    # shellcheck disable=SC2016 # the inner shell's
    is "$1" "$(as_user bash -c '
        . "$1" && shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        _vitrine && printf "%s\n" "${COMPREPLY[@]}" | LC_ALL=C sort | tr "\n" " "' _ "$completion" "${@:3}")" "$2"
}
complete_to 'completion: commands' 'unpack ' vitrine u
complete_to 'completion: all of them' '--help --version help import info pack unpack verify ' vitrine ''
complete_to 'completion: options' '--json ' vitrine info --j
complete_to 'completion: files' 'meta.sqfs ' vitrine verify meta.
complete_to 'completion: a directory to pack' 'meta ' vitrine pack m
complete_to 'completion: and the file' 'meta meta.sqfs ' vitrine pack meta m
complete_to 'completion: a directory to unpack to' 'full ' vitrine unpack -q x.sqfs f
like 'completion: bash knows it' "$(as_user bash -c ". $completion; complete -p vitrine")" '_vitrine vitrine'

as_user sh -c 'chmod -R u+w tree; rm -rf tree meta full ./*.sqfs'
done_testing
