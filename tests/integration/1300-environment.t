#!/bin/bash
# shellcheck disable=SC2016 # some texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whose variable a task finds: what images of each tool say of themselves against what the
# host has, the host's libraries kept out, and steps that start from inside.
# timeout: 240
. "$(dirname "$0")/lib.sh"

own=$VITRINE_TEST_CACHE/1300.$slot
clean_up() {
    (at_end)
    rc=$?
    rm -rf --one-file-system "$own"
    exit $rc
}
trap clean_up EXIT
rm -rf --one-file-system "$own"
mkdir -p "$own"
home=$(getent passwd "$USER1" | cut -d: -f6)
base=$(make_image base) || exit

# tree NAME: of an image without words.
tree() {
    cp -a "$(make_tree tiny)" "$own/$1"
    mkdir -p "$own/$1/.vitrine"
}

# show NAME...: the values of these variables, - for one that is not set.
show() {
    printf 'echo'
    printf ' "${%s--}"' "$@"
}

# in_image IMAGE NAME WANT [A=B]... -- [OPTION]... -- SCRIPT
in_image() {
    local image=$1 name=$2 want=$3 variables=() options=()
    shift 3
    while [ "$1" != -- ]; do variables+=("$1") && shift; done
    shift
    while [ "$1" != -- ]; do options+=("$1") && shift; done
    prints "$name" "$want" as_user env "${variables[@]}" srun -Q --container-image="$image" \
        "${options[@]}" sh -c "$2"
}

# Where Slurm's commands are is in each search path; behind, if the host's has it not.
slurm=''
[ "$SLURM_PREFIX" != /usr ] || slurm=/usr/bin:

# ---- what each tool's image says ----------------------------------------------------------

tree vitrine
printf 'env=%s\0' KIND=vitrine CUDA_HOME=/opt/cuda OMP_NUM_THREADS=1 HOME=/root TMPDIR=/nowhere \
    SLURM_PROCID=99 SLURM_NEW=image PATH=/opt/kind/bin:/bin LD_LIBRARY_PATH=/opt/kind/lib \
    'EXPANDED=/x:$KIND' VITRINE_IMAGE=/forged 'TWO=a
b' EMPTY= >"$own/vitrine/.vitrine/config"
tree enroot
cat >"$own/enroot/etc/rc" <<'END'
mkdir -p "/opt" 2> /dev/null
cd "/opt" && unset OLDPWD || exit 1

if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi

if [ $# -gt 0 ]; then
    exec "$@"
else
    exec 'sh'
fi
END
cat >"$own/enroot/etc/environment" <<'END'
KIND=enroot
CUDA_HOME="/opt/cuda"
OMP_NUM_THREADS=1
HOME=/root
TMPDIR=/nowhere
SLURM_PROCID=99
SLURM_NEW=image
PATH=/opt/kind/bin:/bin
LD_LIBRARY_PATH=/opt/kind/lib
EXPANDED=/x:${KIND}
VITRINE_IMAGE=/forged
ENROOT_FOR_ITSELF=yes
EMPTY=
END
tree apptainer
mkdir -p "$own/apptainer/.singularity.d/env"
cat >"$own/apptainer/.singularity.d/env/90-environment.sh" <<'END'
#!/bin/sh
export KIND=apptainer CUDA_HOME="/opt/cuda"
export OMP_NUM_THREADS=1 HOME=/root TMPDIR=/nowhere SLURM_PROCID=99 SLURM_NEW=image
export PATH="/opt/kind/bin:/bin" LD_LIBRARY_PATH=/opt/kind/lib
export EXPANDED="/x:${KIND:-none}" EMPTY=
export VITRINE_IMAGE=/forged
touch /executed "$HOME/executed"; export RUN=$(touch /tmp/executed.1300)
END
tree charliecloud
mkdir "$own/charliecloud/ch"
cat >"$own/charliecloud/ch/environment" <<'END'
KIND=charliecloud
CUDA_HOME=/opt/cuda
OMP_NUM_THREADS=1
HOME=/root
TMPDIR=/nowhere
SLURM_PROCID=99
SLURM_NEW=image
PATH=/opt/kind/bin:/bin
LD_LIBRARY_PATH=/opt/kind/lib
EXPANDED=/x:$KIND
VITRINE_IMAGE=/forged
EMPTY=
END
tree plain
sed -e 's/charliecloud/plain/' -e '/EXPANDED/d' "$own/charliecloud/ch/environment" \
    >"$own/plain/etc/environment"

for kind in vitrine enroot apptainer charliecloud plain; do
    image=$own/$kind
    in_image "$image" "$kind: its own variables" "$kind /opt/cuda /opt/kind/lib" CUDA_HOME=/host -- -- \
        "$(show KIND CUDA_HOME LD_LIBRARY_PATH)"
    in_image "$image" "$kind: the user, the node and the job are the host's" "$home /tmp 0 -" -- -- \
        "$(show HOME TMPDIR SLURM_PROCID SLURM_NEW)"
    in_image "$image" "$kind: a presumption" 1 -- -- "$(show OMP_NUM_THREADS)"
    in_image "$image" "$kind: the user knows better" 8 OMP_NUM_THREADS=8 -- -- "$(show OMP_NUM_THREADS)"
    in_image "$image" "$kind: the search path" "/opt/kind/bin:/bin:$slurm$home/bin" \
        PATH="/usr/local/bin:/usr/bin:/bin:$home/bin" -- -- 'echo $PATH'
    in_image "$image" "$kind: one that is empty is set" ' -' EMPTY=full -- -- \
        'echo "${EMPTY-unset} ${NEVER--}"'
    in_image "$image" "$kind: nobody forges which image it is" "$image" -- -- "$(show VITRINE_IMAGE)"
    in_image "$image" "$kind: --container-env" '/host - /opt/kind/lib' CUDA_HOME=/host MINE=x -- \
        --container-env=CUDA_HOME,KIND -- "$(show CUDA_HOME MISSING LD_LIBRARY_PATH)"
    in_image "$image" "$kind: a name that is not set leaves the image's" "$kind" -- \
        --container-env=KIND,NOWHERE -- "$(show KIND)"
done
in_image "$own/vitrine" 'values as they are' '/x:$KIND a
b' -- -- "$(show EXPANDED TWO)"
for kind in enroot apptainer charliecloud; do
    in_image "$own/$kind" "$kind: an expansion" "/x:$kind" KIND=host -- -- "$(show EXPANDED)"
done
in_image "$own/enroot" "nothing for enroot itself" - -- -- "$(show ENROOT_FOR_ITSELF)"
[ ! -e "$home/executed" ] && [ ! -e /tmp/executed.1300 ] && [ ! -e "$own/apptainer/executed" ]
report 'nothing is executed' $?
in_image "$own/vitrine" '--container-env for a library path' /host/lib LD_LIBRARY_PATH=/host/lib -- \
    --container-env=LD_LIBRARY_PATH -- "$(show LD_LIBRARY_PATH)"
in_image "$own/vitrine" '--container-env for the search path' "/usr/bin:/bin:$home/bin" \
    PATH="/usr/bin:/bin:$home/bin" -- --container-env=PATH -- 'echo $PATH'
cp -r "$own/plain/etc/environment" "$own/vitrine/etc/environment"
in_image "$own/vitrine" "Vitrine's words before those of others" vitrine -- -- "$(show KIND)"
try as_user srun -Q --container-image="$own/vitrine" --export=NONE sh -c 'echo $KIND $CUDA_HOME $HOME $PATH'
like '--export=NONE' "$rc $out" "^0 vitrine /opt/cuda ($home )?/opt/kind/bin:/bin"

# ---- the host's libraries -----------------------------------------------------------------

# A C library that no program starts with, and one that no program survives.
mkdir -p "$own/lib"
for lib in libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2; do
    echo 'no library' >"$own/lib/$lib"
done
echo 'void die(void) __attribute__((constructor)); void _exit(int); void die(void) { _exit(66); }' |
    gcc -shared -fPIC -o "$own/preload.so" -x c -
chmod -R a+rX "$own/lib" "$own/preload.so"
broken=(LD_LIBRARY_PATH="$own/lib" LD_PRELOAD="$own/preload.so")
prints 'with broken libraries on the host' '- -' as_user srun -Q --container-image="$base" \
    --export=ALL,"${broken[0]}","${broken[1]}" sh -c "$(show LD_LIBRARY_PATH LD_PRELOAD)"
prints 'Python' 3 as_user srun -Q --container-image="$base" --export=ALL,"${broken[0]}","${broken[1]}" \
    python3 -c 'import sys; print(sys.version_info[0])'
prints 'for fake root' root as_user srun -Q --container-image="$base" --container-remap-root \
    --export=ALL,"${broken[0]}","${broken[1]}" id -un
prints 'GCONV_PATH, LOCPATH and LD_AUDIT' '- - -' as_user env GCONV_PATH="$own" LOCPATH="$own" \
    srun -Q --export=ALL,LD_AUDIT=/nowhere --container-image="$base" sh -c "$(show GCONV_PATH LOCPATH LD_AUDIT)"
prints 'a preloaded library that is nowhere says nothing' ok as_user srun -Q --container-image="$base" \
    --export=ALL,LD_PRELOAD=/nowhere.so bash -c 'echo ok'

# ---- steps from inside --------------------------------------------------------------------

tree other
printf 'env=%s\0' KIND=other PATH=/opt/other/bin:/bin >"$own/other/.vitrine/config"
A=$own/vitrine B=$own/other
try_batch --container-image="$A" --export=ALL,LD_LIBRARY_PATH=/host/lib,HOST=yes <<END
#!/bin/sh
$(show KIND LD_LIBRARY_PATH HOST)
export LD_LIBRARY_PATH=/mine/lib CUDA_HOME=/mine PATH=/mine/bin:\$PATH MINE=yes
srun -Q sh -c '$(show KIND LD_LIBRARY_PATH CUDA_HOME MINE); echo \${PATH%%:*}'
srun -Q --container-image=$B sh -c '$(show KIND LD_LIBRARY_PATH CUDA_HOME MINE); echo \${PATH%%:*}'
srun -Q --container-image=none sh -c '$(show LD_LIBRARY_PATH MINE VITRINE_IMAGE); echo \$PATH'
srun -Q --container-image=none true && echo works
unset KIND
srun -Q sh -c '$(show KIND)'
srun -Q sh -c 'srun -Q --overlap sh -c "echo \\\$LD_LIBRARY_PATH \\\$VITRINE_IMAGE"'
END
path=$(as_user sh -c 'echo $PATH')
is 'a script and its steps' "$rc $out" "0 vitrine /opt/kind/lib yes
vitrine /mine/lib /mine yes
/mine/bin
other - /mine yes
/opt/other/bin
/host/lib yes -
$path
works
-
/mine/lib $A"

# On the host a step must find the host's own programs and libraries again.
prints 'none from inside has the host back' "$home $(hostname) 5" as_user srun -Q --container-image="$A" \
    sh -c "srun -Q --overlap --container-image=none bash -c 'echo \$HOME \$(uname -n) \$(expr 2 + 3)'"
prints 'an image in an image' $'other\n3' as_user srun -Q --container-image="$A" sh -c \
    "srun -Q --overlap --container-image=$B sh -c 'echo \$KIND' && srun -Q --overlap \
    --container-image=$base python3 -c 'import sys; print(sys.version_info[0])'"
prints 'and back' "$A" as_user srun -Q --container-image="$A" sh -c \
    "srun -Q --overlap --container-image=$B sh -c 'srun -Q --overlap --container-image=$A sh -c \"echo \\\$VITRINE_IMAGE\"'"
prints 'a step of a step of none' "$own/other" as_user srun -Q --container-image="$A" sh -c \
    "srun -Q --overlap --container-image=none srun -Q --overlap --container-image=$B sh -c 'echo \$VITRINE_IMAGE'"

# A terminal, in which one exports something and starts steps.
cat >"$T/typed" <<'END'
export LD_LIBRARY_PATH=/typed
srun -Q --overlap sh -c 'echo =$KIND,$LD_LIBRARY_PATH,$VITRINE_IMAGE=' </dev/null
exit
END
out=$(as_user timeout 30 script -qec "srun -Q --pty --container-image=$A sh" /dev/null <"$T/typed" | tr -d '\r')
like 'srun from a terminal inside' "$out" "^=vitrine,/typed,$A=\$"

# A notebook: a server inside whose kernels are steps, found by the environment that it has.
as_user mkdir -p "$home/venv/bin" "$home/.local/share/jupyter"
printf '#!/bin/sh\necho kernel of $VIRTUAL_ENV with $(command -v python3)\n' >"$home/venv/bin/kernel"
chmod 755 "$home/venv/bin/kernel"
cat >"$home/server.py" <<'END'
import os, socket, time
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
with open(os.environ["HOME"] + "/port", "w") as file:
    file.write(str(server.getsockname()[1]))
client = server.accept()[0]
client.sendall(os.popen("kernel").read().encode())
END
as_user env VIRTUAL_ENV="$home/venv" PATH="$home/venv/bin:/usr/bin:/bin" timeout 30 srun -Q --container-image="$base" \
    sh -c "python3 $home/server.py || echo 0 >$home/port" &
wait_for 20 test -s "$home/port"
is 'a notebook' "$(perl -MIO::Socket -e '$s = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or exit; print <$s>' \
    "$(cat "$home/port")")" "kernel of $home/venv with /usr/bin/python3"
wait $!

# ---- each task's own ----------------------------------------------------------------------

try as_user srun -Q -N2 -n6 --container-image="$A" sh -c \
    'echo $SLURM_PROCID $([ $SLURM_TASK_PID = $$ ] && echo own) $SLURM_NTASKS $KIND'
is 'variables of each task' "$rc $(sort <<<"$out")" "0 $(printf '%s own 6 vitrine\n' 0 1 2 3 4 5)"

# ---- long and hostile ---------------------------------------------------------------------

long=$(head -c 100000 /dev/zero | tr '\0' x)
in_image "$A" 'a long value of the host' 100000 LONG="$long" -- -- 'echo ${#LONG}'
in_image "$A" 'a long library path of the host' /opt/kind/lib LD_LIBRARY_PATH="/nowhere:/${long}" -- -- \
    "$(show LD_LIBRARY_PATH)"
in_image "$A" 'a long search path of the host' /opt/kind/bin PATH="/usr/bin:/bin:/${long}" -- -- \
    'echo ${PATH%%:*}'
deep=$(printf "$home/%s:" $(seq 8000))
try as_user env PATH="/usr/bin:/bin:${deep:0:120000}" srun -Q --container-image="$A" \
    --export=ALL,MANY="$long" sh -c 'echo ${#MANY} ${PATH%%:*}'
is 'a very long search path in the home' "$rc $out" '0 100000 /opt/kind/bin'

# hostile NAME COMMAND...: makes the file $file; a task runs all the same.
hostile() {
    rm -rf "$own/hostile"
    tree hostile
    file=$own/hostile/.vitrine/config
    "${@:2}"
    prints "hostile: $1" "ok $own/hostile" as_user timeout 20 srun -Q --container-image="$own/hostile" \
        sh -c 'echo ok $VITRINE_IMAGE'
}
hostile 'a FIFO' eval 'mkfifo "$file"'
hostile 'a directory' eval 'mkdir "$file"'
hostile 'a device' eval 'mknod "$file" c 1 5'
hostile 'a link out of it' eval 'ln -s ../../../../../../proc/self/environ "$file"'
hostile 'a link to itself' eval 'ln -s config "$file"'
hostile 'a huge file' eval 'truncate -s 100G "$file"'
hostile 'noise' eval 'head -c 200000 /dev/urandom >"$file"'
hostile 'ten thousand variables' eval 'printf "env=V%s=1\0" $(seq 10000) >"$file"'
hostile 'no names' eval 'printf "%s\0" env= env== env==x env=x "env=a b=c" "env=BASH_FUNC_x%%=() { id; }" = "" >"$file"'
hostile 'one megabyte' eval '{ printf env=X= && head -c 1000000 /dev/zero | tr "\0" x && printf "\0"; } >"$file"'
hostile 'a PATH from wherever one is' eval 'printf "env=PATH=.:bin\0" >"$file"'
hostile 'no record end' eval 'printf env=PATH=/nowhere >"$file"'
hostile 'the loader' eval 'printf "env=%s\0" LD_PRELOAD=/nowhere LD_AUDIT=/nowhere LD_LIBRARY_PATH=/proc/self/fd >"$file"'
hostile 'unreadable' eval ': >"$file" && chmod 000 "$file"'
hostile 'of enroot' eval 'rm -rf "${file%/*}"; for i in $(seq 20000); do echo "A$i=\${A$((i - 1))}\${A$((i - 1))}x"; done >"${file%/.v*}/etc/environment"; cp "$own/enroot/etc/rc" "${file%/.v*}/etc/rc"'
hostile 'of Apptainer' eval 'mkdir -p "${file%/.v*}/.singularity.d/env/90-x.sh"; head -c 100000 /dev/zero | tr "\0" "(" >"${file%/.v*}/.singularity.d/env/91-x.sh"; ln -s 91-x.sh "${file%/.v*}/.singularity.d/env/92-x.sh"'

done_testing
