#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Images from registries in Slurm: imported before a job is asked for, once, and the same on
# all nodes whatever becomes of the tag; or by the step's first node.
# timeout: 300
# shellcheck disable=SC2016 # variables of other shells
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry.sh"

home=$(getent passwd "$USER1" | cut -d: -f6)
cache=$home/.cache/vitrine
tiny=$(make_tree tiny) || exit
# image TAG TEXT: an image whose /version says TEXT.
image() {
    printf '%s\n' "image $1" "config '{\"Env\": [\"PATH=/bin\", \"FROM=registry\"]}'" 'layer gzip' \
        "tree $tiny" 'layer zstd' "file version $2\\012"
}
{ image one one && image two two && image other other; } | layout "$T/app"
registry_start main
front_start front main
for tag in one two other; do
    registry_push "oci:$T/app:$tag" "main/app:$tag"
done
# move TAG FROM: the tag is from now on what FROM is.
move() {
    registry_push "oci:$T/app:$2" "main/app:$1"
}
move latest one
reg=${REGISTRY[main]}
front=${REGISTRY[front]}
app=docker://$reg/app
one=$(registry_digest main/app:one)

# conf [LINE]...: the configuration of all nodes and of this host from now on.
conf() {
    printf '%s\n' "Registry=$reg AllowHTTP=yes" "Registry=$front AllowHTTP=yes" \
        "ImageDir=$IMAGES" "$@" >"$VITRINE_CLUSTER/vitrine.conf.new"
    mv "$VITRINE_CLUSTER/vitrine.conf.new" "$VITRINE_CLUSTER/vitrine.conf"
}
private_cluster -n 4
conf

forget() { # an empty cache, an empty log
    rm -rf "$cache"
    registry_forget main
}
requests() {
    registry_count main .
}
none_asked() { # NAME
    is "$1" "$(requests)" 0 || diagnose "$(registry_log main)"
}
images() {
    find "$cache/images" -type f 2>/dev/null | wc -l
}
# What is left that nobody finished: all but images with their whole names.
unfinished() {
    find "$cache/images" "$cache/locks" ! -type d ! -name 'sha256-*.sqfs' 2>/dev/null
    pgrep -u "$USER1" -a vitrine-import
}
all_is_tidy() {
    [ -z "$(unfinished)" ]
}
tidy() { # NAME
    wait_for 5 all_is_tidy
    report "$1" $? || diagnose "$(unfinished)"
}

# ---- srun ---------------------------------------------------------------------------------

try as_user srun -N4 --container-image="$app:one" cat /version
is 'an image in a registry runs on all nodes' "$rc $(xargs <<<"$out")" '0 one one one one' || show_try
is 'it is in the cache once' "$(images)" 1
is 'each blob was fetched once' \
    "$(registry_log main | grep -c '^GET .*/blobs/.* 200 ') $(registry_log main | grep '^GET .*/blobs/.* 200 ' | cut -d' ' -f2 | sort | uniq -d)" '3 '
registry_forget main
prints 'with a digest a warm start says nothing' one as_user srun \
    --container-image="$app@$one" cat /version
none_asked 'and asks nobody'
prints 'the environment is that of the image, VITRINE_IMAGE what the user wrote' \
    "registry $app@$one" as_user srun --container-image="$app@$one" \
    sh -c 'echo "$FROM $VITRINE_IMAGE"'
prints 'enroot writes it so' one as_user srun -Q --container-image="$reg#app:one" cat /version
prints 'an OCI layout, relative to where the command is given' two \
    as_user sh -c "cd $T && srun -Q --container-image=oci:app:two cat /version"
prints 'a file is a file' 'ID=tiny' as_user srun --container-image="$(make_image tiny)" \
    head -n1 /etc/os-release
registry_forget main
prints 'help imports nothing' '' as_user sh -c "srun --container-image=$app:other --help >/dev/null"
try as_user srun --test-only --container-image="$app:other" true
report '--test-only succeeds' "$rc" || show_try
none_asked 'nor does --test-only'

# ---- what it says -------------------------------------------------------------------------

forget
prints '-Q is quiet' one as_user srun -Q --container-image="$app:one" cat /version
for front_slow in no yes; do
    [ $front_slow = no ] || front_rules front '/blobs/ slow 600000'
    forget
    try as_user srun --container-image="docker://$front/app:one" cat /version
    unlike "no terminal (slow: $front_slow): no control characters" "$err" $'[\r\033]'
done
like 'what takes long is told' "$err" "vitrine: .*app:one"
forget
out=$(as_user script -qec "srun --container-image=docker://$front/app:one cat /version" /dev/null)
like 'a terminal: a bar' "$out" $'\r.*#'
like 'and then the output' "$out" ^one
front_rules front

# ---- errors: no job -----------------------------------------------------------------------

spank_says='srun: error: (spank: required plugin|Plugin stack post-option)'
no_job() { # NAME REGEX IMAGE
    local before after
    before=$(as_root sbatch --parsable --hold --wrap true)
    try as_user srun -Q --container-image="$3" true
    [ "$rc" != 0 ]
    report "$1: the command fails" $? || show_try
    err=$(grep -vE "$spank_says" <<<"$err")
    error_line 'one line' "^vitrine: .*$2"
    after=$(as_root sbatch --parsable --hold --wrap true)
    is 'and no job' $((after - before)) 1
    as_root scancel "$before" "$after"
}
no_job 'a tag that is not there' 'no none of app' "$app:none"
no_job 'a repository that is not there' 'nothing' "docker://$reg/nothing:1"
no_job 'a registry that is not there' 'localhost:1' docker://localhost:1/app:1
no_job 'a digest that is not there' "$(printf 'a%.0s' {1..64})" "$app@sha256:$(printf 'a%.0s' {1..64})"
registry_start private htpasswd=me:secret
registry_push "oci:$T/app:one" private/app:one --dest-creds me:secret
conf "Registry=${REGISTRY[private]} AllowHTTP=yes"
no_job 'a registry that wants a password' "${REGISTRY[private]}" "docker://${REGISTRY[private]}/app:one"
as_user mkdir -p .docker
printf '{"auths": {"%s": {"auth": "%s"}}}' "${REGISTRY[private]}" "$(printf me:secret | base64)" |
    as_user sh -c 'umask 077; cat >.docker/config.json'
prints 'and gets it' one as_user srun -Q --container-image="docker://${REGISTRY[private]}/app:one" cat /version
rm -rf "$home/.docker"
conf

# ---- the digest is pinned -----------------------------------------------------------------

forget
try as_user sbatch --parsable -o /dev/null --hold --container-image="$app:latest" --wrap true
job=$out
report 'sbatch imports' "$rc" || show_try
is 'before the job runs' "$(images)" 1
as_root scancel "$job"

# A batch job, held until the tag has moved.
moved_batch() { # SBATCH-OPTION...
    move latest one
    rm -rf "$cache"
    local output=$T/moved
    install -o "$USER1" /dev/null "$output"
    try as_user sbatch --parsable --hold --open-mode=append -o "$output" "$@"
    [ "$rc" = 0 ] || show_try
    move latest two
    registry_forget main
    as_root scontrol release "$out"
    wait_for 60 no_jobs
    out=$(without_waits <"$output")
}
script=$T/script
cat >"$script" <<'END'
#!/bin/sh
cat /version
srun -N2 cat /version
END
chmod 755 "$script"
moved_batch -N2 --container-image="$app:latest" "$script"
is 'a job runs what the tag was when it was submitted, and so do its steps' \
    "$(xargs <<<"$out")" 'one one one'
none_asked 'without asking again'
moved_batch -N2 --export=NONE --container-image="$app:latest" "$script"
like 'with --export=NONE, too' "$(xargs <<<"$out")" '^one one'
none_asked 'without asking either'
cat >"$script" <<END
#!/bin/sh
#SBATCH --container-image=$app:latest
cat /version
srun -n1 --container-image=$app:latest cat /version
srun -Q -n1 --container-image=$app:two cat /version
srun -n1 --container-image=none sh -c 'echo \$SLURM_VITRINE_DIGEST'
END
moved_batch "$script"
is '#SBATCH lines; a step that asks for the same image; one for another; one for none' \
    "$(xargs <<<"$out")" "one one two $one $app:latest"
cat >"$script" <<END
#!/bin/sh
srun -n1 --container-image=$app:latest cat /version
END
moved_batch "$script"
is 'a job without an image pins none' "$(xargs <<<"$(grep -v import <<<"$out")")" two
move latest one
rm -rf "$cache"
prints 'salloc' 'one one' as_user salloc -Q -N1 --container-image="$app:latest" sh -c '
    a=$(srun cat /version) && mv .cache/vitrine/images .cache/vitrine/moved
    mv .cache/vitrine/moved .cache/vitrine/images && b=$(srun cat /version) && echo "$a $b"'
moved_batch -a 1-2 --container-image="$app:latest" --wrap 'cat /version'
is 'an array' "$(xargs <<<"$out")" 'one one'
moved_batch --container-image="$app:one" -N1 : -N1 --container-image="$app:two" \
    --wrap 'srun --het-group=0,1 cat /version'
like 'a heterogeneous job' "$(xargs <<<"$out")" '^(one|two) (one|two)$'
none_asked 'and nobody is asked'

# What was imported is gone again when the step starts: it is the same that comes.
move latest one
try as_user salloc -Q -N1 --container-image="$app:latest" sh -c "
    rm -rf .cache/vitrine && touch moved && until [ ! -e moved ]; do sleep 0.1; done
    srun cat /version" &
salloc=$!
wait_for 20 test -e "$home/moved"
move latest two
rm -f "$home/moved"
wait "$salloc"
is 'a pinned image that the cache has lost' "$(tr -d '\0' <"$T/.out")" one

# ---- Compat=pyxis -------------------------------------------------------------------------

conf Compat=pyxis
prints 'a name that is no file is an image in a registry' one \
    as_user srun -Q --container-image="$reg/app:one" cat /version
cp "$(make_image tiny)" "$home/app"
prints 'but a file goes first' 'No such file' as_user sh -c \
    'srun -Q --container-image=app cat /version 2>&1 | grep -o "No such file"'
rm "$home/app"
conf
exit_is 'without it a name is a name' 1 as_user srun --container-image="$reg/app:one" true
error_line 'which is told' 'is not a file in .*docker://'

# ---- named containers, saved ones, fake root, mounts --------------------------------------

move latest one
prints 'a named container' 'one x' as_user salloc -Q -N1 sh -c "
    srun -Q --container-image=$app:latest --container-name=c sh -c 'echo x >/x'
    srun -Q --container-name=c sh -c 'echo \$(cat /version /x)'"
cat >"$script" <<END
#!/bin/sh
srun -Q -N1 --container-image=$app:latest --container-name=c sh -c 'cat /version; touch /tmp/go.\$SLURM_JOB_ID'
until [ -e $T/moved.latest ]; do sleep 0.1; done
srun -Q -N1 --container-image=$app:latest --container-name=c cat /version
srun -Q -N1 --container-image=$app:other --container-name=c cat /version
END
rm -f "$T/moved.latest"
install -o "$USER1" /dev/null "$T/named"
try as_user sbatch -N1 --parsable -o "$T/named" "$script"
job=$out
wait_for 60 grep -q one "$T/named"
move latest two
touch "$T/moved.latest"
wait_for 60 job_is_over "$job"
rm -f "/tmp/go.$job"
like 'keeps its image when the tag has moved, and is not made of another' \
    "$(xargs <"$T/named")" '^one one .*vitrine: .*container c is made from image'
prints 'saved' one as_user sh -c "srun -Q --container-image=$app:one --container-save=saved.sqfs true &&
    srun -Q --container-image=./saved.sqfs cat /version"
rm -f "$home/saved.sqfs"
prints 'fake root, a mount, a writable root' '0 one' as_user srun -Q --container-image="$app:one" \
    --container-remap-root --container-writable --container-mounts=/etc:/host-etc \
    sh -c 'cp /version /v && test -e /host-etc/passwd && echo "$(id -u) $(cat /v)"'
prints 'each task its own root' 4 as_user sh -c "srun -Q -n4 --container-writable=task \
    --container-image=$app:one sh -c 'echo >/x && cat /version' | grep -c one"
registry_forget main
prints 'srun inside a container, to the same image' one as_user salloc -Q -N1 \
    --container-image="$app:one" srun sh -c 'srun --overlap cat /version'
is 'the tag is asked for once' "$(registry_count main '/manifests/')" 1

# ---- on the node --------------------------------------------------------------------------

conf ImportOn=node
forget
front_rules front
try as_user srun -N4 --container-image="docker://$front/app:one" cat /version
is 'ImportOn=node' "$rc $(xargs <<<"$out")" '0 one one one one' || show_try
is 'each blob is fetched once' \
    "$(registry_log main | grep '^GET .*/blobs/.* 200 ' | cut -d' ' -f2 | sort | uniq -c | awk '$1 > 1')" ''
tidy 'nothing unfinished'
# The tag moves while the first node imports: all nodes run what it got.
move latest one
forget
front_rules front '/blobs/ hold 10%'
try as_user srun -N4 --container-image="docker://$front/app:latest" cat /version &
srun=$!
front_wait front '^holding '
move latest two
front_go front
wait "$srun"
is 'all nodes agree on one digest' "$(sort -u "$T/.out")" one
conf
try_batch --container-image="$(make_image tiny)" -N1 <<END
#!/bin/sh
srun -N1 --container-image=docker://$front/app:two cat /version
END
like 'in a container nothing is imported, so its node does' "$out" two

# ---- the cache cannot be used here --------------------------------------------------------

conf "CacheDir=$T/closed/cache"
mkdir -m 755 "$T/closed"
exit_is 'a cache that cannot be made' 1 as_user srun --container-image="$app:one" true
error_line 'is told here, and on the node' 'vitrine: .*cannot make .*/closed/cache' 2
install -d -o "$USER1" "$T/late"
conf "CacheDir=$T/late/%u"
prints 'CacheDir=...%u' one as_user srun -Q --container-image="$app:one" cat /version
is 'is where it is' "$(find "$T/late/$USER1/images" -type f | wc -l)" 1
conf 'Imgae=x'
exit_is 'a configuration that is wrong' 1 as_user srun --container-image="$app:one" true
error_line 'is told here, and on the node' "unknown key 'Imgae'" 2
conf

# ---- ends ---------------------------------------------------------------------------------

forget
front_rules front '/blobs/ hold 10%'
interrupt() {
    front_wait front '^holding ' && sleep 0.3
    printf '\003'
    sleep 3
}
interrupt | as_user script -qec "srun --container-image=docker://$front/app:one true" /dev/null \
    >"$T/interrupted" 2>&1
like 'srun imports until Ctrl-C' "$(cat "$T/front.front/log")" '^holding '
tidy 'Ctrl-C leaves nothing'
is 'and no image' "$(images)" 0
is 'nor a job' "$(as_root squeue -h -u "$USER1")" ''

for signal in TERM KILL; do
    front_rules front '/blobs/ hold 10%'
    as_user srun --container-image="docker://$front/app:one" true 2>/dev/null &
    srun=$!
    front_wait front '^holding '
    pkill -$signal -u "$USER1" -x srun
    wait "$srun"
    tidy "$signal to srun leaves nothing"
done

conf ImportOn=node
for how in 'scancel' 'scancel -s KILL'; do
    forget
    front_rules front '/blobs/ hold 10%'
    as_user srun -N4 --container-image="docker://$front/app:one" true 2>/dev/null &
    srun=$!
    front_wait front '^holding '
    begin=${EPOCHREALTIME/[.,]/}
    # shellcheck disable=SC2086 # words
    as_root $how -u "$USER1"
    wait "$srun"
    took=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
    [ "$took" -lt 5000 ]
    report "$how during an import on the node takes $took ms" $?
    tidy 'and leaves nothing'
    is 'and no image' "$(images)" 0
done
front_rules front
conf

done_testing
