# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of vitrine(1) for bash, with bash-completion or without it.

_vitrine_files() {
    local IFS=$'\n'
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

_vitrine_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# How many arguments of the command stand before the word that is completed.
_vitrine_count() {
    local i n=0
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | -p | --config | --platform) i=$((i + 1)) ;;
        -*) ;;
        *) n=$((n + 1)) ;;
        esac
    done
    echo "$n"
}

_vitrine() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local commands='import pack unpack info verify'
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        _vitrine_words "$commands help --help --version" "$word"
        return
    fi
    case $before in
    -c | --config)
        _vitrine_files -f "$word"
        return
        ;;
    -p | --platform)
        _vitrine_words 'amd64 arm64 arm/v7 ppc64le riscv64 s390x' "$word"
        return
        ;;
    esac
    case ${COMP_WORDS[1]},$word in
    help,*) _vitrine_words "$commands" "$word" ;;
    import,-*) _vitrine_words '--platform --config --quiet --help' "$word" ;;
    pack,-*) _vitrine_words '--root-owned --quiet --help' "$word" ;;
    info,-*) _vitrine_words '--json --config --quiet --help' "$word" ;;
    unpack,-* | verify,-*) _vitrine_words '--quiet --help' "$word" ;;
    pack,*)
        if [ "$(_vitrine_count)" = 0 ]; then
            _vitrine_files -d "$word"
        else
            _vitrine_files -f "$word"
        fi
        ;;
    unpack,*)
        if [ "$(_vitrine_count)" = 0 ]; then
            _vitrine_files -f "$word"
        else
            _vitrine_files -d "$word"
        fi
        ;;
    import,* | info,* | verify,*) _vitrine_files -f "$word" ;;
    esac
}

complete -F _vitrine vitrine
