# Joins what COMP_WORDBREAKS took apart (a=b, x:y). Sets words, and index: where each one
# begins in COMP_WORDS.
_nskit_words()
{
    local i blanks line=$COMP_LINE
    words=() index=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        blanks=${line%%[![:blank:]]*}
        line=${line#"$blanks"}
        line=${line#"${COMP_WORDS[i]}"}
        if [[ $blanks ]] || ((i == 0)); then
            words+=("${COMP_WORDS[i]}")
            index+=("$i")
        else
            words[-1]+=${COMP_WORDS[i]}
        fi
    done
}

# _nskit_offer PREFIX VALUE KIND [WORD...]: what can stand for VALUE, which follows PREFIX in the
# current word: things of this kind, and the words.
_nskit_offer()
{
    local prefix=$1 value=$2 kind=$3 found=() one
    shift 3
    if [[ $kind == *-list && $value == *,* ]]; then
        prefix+=${value%,*},
        value=${value##*,}
    fi
    mapfile -t found < <(
        case ${kind%-list} in
            files) compgen -f -- "$value" ;;
            directories) compgen -d -- "$value" ;;
            users) compgen -u -- "$value" ;;
            groups) compgen -g -- "$value" ;;
            variables) compgen -e -- "$value" ;;
            signals)
                # bash also has names for its own traps, and for numbers without one.
                compgen -A signal -- SIG | while read -r one; do
                    [[ $one == *JUNK* ]] && continue
                    [[ $value == SIG* ]] || one=${one#SIG}
                    [[ $one == "$value"* ]] && echo "$one"
                done
                ;;
            processes)
                # Threads of the kernel have no command line.
                for one in /proc/"$value"*; do
                    [[ ${one#/proc/} == *[!0-9]* ]] && continue
                    read -r -d '' -N 1 2>/dev/null <"$one/cmdline" && echo "${one#/proc/}"
                done 2>/dev/null
                ;;
        esac
        compgen -W "$*" -- "$value"
    )
    for one in "${found[@]}"; do
        # readline looks for a directory under the whole word, -nDIR, and finds none.
        [[ $kind == @(files|directories) && $prefix == *[!:=] && -d $one ]] && one+=/
        COMPREPLY+=("$prefix$one")
    done
    case $kind in
        files | directories) compopt -o filenames 2>/dev/null ;;
    esac
}

# The option that a long name means, which may be cut short. Sets option.
_nskit_long()
{
    local candidate
    option=
    for candidate in $longs; do
        if [[ $candidate == "$1" ]]; then
            option=$candidate
            return
        fi
        [[ -z $option && $candidate == "$1"* ]] && option=$candidate
    done
}

# The option in a cluster that takes the rest of the word. Sets option, prefix and value.
_nskit_cluster()
{
    local i
    option=
    for ((i = 1; i < ${#1}; i++)); do
        if [[ $required$optional == *"${1:i:1}"* ]]; then
            option=-${1:i:1} prefix=${1:0:i+1} value=${1:i+1}
            return
        fi
    done
}

# _nskit_offset I: what the program COMP_WORDS[I] has of completions of its own, where no bash-completion finds them.
_nskit_offset()
{
    local command=${COMP_WORDS[$1]} spec option i
    if (($1 == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$command")
        return
    fi
    if ! spec=$(complete -p -- "${command##*/}" 2>/dev/null); then
        trim=yes
        _nskit_offer '' "${words[-1]}" files
        return
    fi
    for ((i = 0; i < $1; i++)); do
        COMP_LINE=${COMP_LINE#*"${COMP_WORDS[i]}"}
    done
    COMP_LINE=${COMP_LINE#"${COMP_LINE%%[![:blank:]]*}"}
    COMP_WORDS=("${COMP_WORDS[@]:$1}") COMP_CWORD=$((COMP_CWORD - $1)) COMP_POINT=${#COMP_LINE}
    spec=${spec#complete }
    spec=${spec% *}
    for option in nospace filenames nosort noquote plusdirs; do
        [[ $spec == *"-o $option"* ]] && compopt -o "$option" 2>/dev/null
    done
    if [[ $spec =~ (^| )-F\ ([^ ]+) ]]; then
        "${BASH_REMATCH[2]}" "$command" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    else
        # bash has quoted it, to be read again.
        eval "mapfile -t COMPREPLY < <(compgen $spec -- \"\${COMP_WORDS[COMP_CWORD]}\")"
    fi
}

# _nskit_program I: the program and its arguments, from words[I] on.
_nskit_program()
{
    # The program may be one of ours.
    local _nskit_first=
    trim=
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "${index[$1]}"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "${index[$1]}"
    else
        _nskit_offset "${index[$1]}"
    fi
}

# _nskit_cgroup PREFIX PATH: cgroups, from the root of the unified hierarchy, or as files.
_nskit_cgroup()
{
    local base=/sys/fs/cgroup path=$2 one inside
    [[ -d $base/unified ]] && base+=/unified
    [[ $path == /sys* ]] && base=
    for one in "$base/${path#/}"*/; do
        [[ -d $one && $one != *[!A-Za-z0-9@%+=:._/-]* ]] || continue
        inside=("$one"*/)
        [[ -d ${inside[0]} ]] || one=${one%/}
        one=${one#"$base"}
        [[ $path == /* ]] || one=${one#/}
        COMPREPLY+=("$1$one")
    done
}

# _nskit_named PREFIX VALUE: what there is of a form of reference that takes names; fails for other forms.
# No name is handed to what would expand it, and none is offered that a shell would not take as it is.
_nskit_named()
{
    local form=${2%%:*} name paths=() base unit slices
    case $2 in
        netns:*) paths=(/run/netns/*) ;;
        machine:*) paths=(/run/systemd/machines/*) ;;
        unit:*)
            for base in /sys/fs/cgroup{,/unified,/systemd}{,"/user.slice/user-$UID.slice/user@$UID.service"}; do
                for slices in '' /*.slice /*.slice/*.slice /*.slice/*.slice/*.slice; do
                    for unit in service scope socket mount swap; do
                        # shellcheck disable=SC2206
                        paths+=("$base"$slices/*."$unit")
                    done
                done
            done
            ;;
        oci:*)
            for base in /run ${XDG_RUNTIME_DIR:+"$XDG_RUNTIME_DIR"} "/run/user/$UID"; do
                for name in "$base"/{runc,crun,containerd/runc/*,docker/runtime-*/*}/*/{state.json,status}; do
                    [[ -e $name ]] && paths+=("${name%/*}")
                done
            done
            ;;
        *) return 1 ;;
    esac
    for name in "${paths[@]}"; do
        name=${name##*/}
        [[ $name == "${2#*:}"* && $name != *[!A-Za-z0-9@%+=:._-]* && $name != unit:* ]] || continue
        [[ " ${COMPREPLY[*]} " == *" $1$form:$name "* ]] || COMPREPLY+=("$1$form:$name")
    done
}

# _nskit_process_ref PREFIX VALUE: a process.
_nskit_process_ref()
{
    case $2 in
        pid:*) _nskit_offer "$1pid:" "${2#pid:}" processes ;;
        pidfile:*) _nskit_offer "$1pidfile:" "${2#pidfile:}" files ;;
        cgroup:*) _nskit_cgroup "$1cgroup:" "${2#cgroup:}" ;;
        machine:* | unit:* | oci:*) _nskit_named "$1" "$2" ;;
        *) _nskit_offer "$1" "$2" processes pid: pidfile: cgroup: machine: unit: oci: fd: self ;;
    esac
}

# _nskit_ref PREFIX VALUE: a reference to a namespace, and after a comma the next one.
_nskit_ref()
{
    local prefix=$1 value=$2 kinds='cgroup= ipc= mnt= net= pid= time= user= uts='
    if [[ $value == *,* ]]; then
        prefix+=${value%,*},
        value=${value##*,}
    fi
    if [[ $value == *=* ]]; then
        prefix+=${value%%=*}=
        value=${value#*=}
        kinds=
    fi
    while [[ $value == parent:* || $value == owner:* ]]; do
        prefix+=${value%%:*}:
        value=${value#*:}
        kinds=
    done
    case $value in
        [0-9]*) _nskit_offer "$prefix" "$value" processes ;;
        pid:*) _nskit_offer "${prefix}pid:" "${value#pid:}" processes ;;
        pidfile:*) _nskit_offer "${prefix}pidfile:" "${value#pidfile:}" files ;;
        cgroup:*) _nskit_cgroup "${prefix}cgroup:" "${value#cgroup:}" ;;
        netns:* | machine:* | unit:* | oci:*) _nskit_named "$prefix" "$value" ;;
        */*) _nskit_offer "$prefix" "$value" files ;;
        *)
            _nskit_offer "$prefix" "$value" words "$kinds" self all \
                pid: netns: fd: id: sock: pidfile: cgroup: machine: unit: oci: parent: owner:
            ;;
    esac
}

# _nskit_operand I: the operands begin at words[I].
_nskit_operand()
{
    local last=$((${#words[@]} - 1)) program=$1
    if [[ $refs ]]; then
        if (($1 == last)) || [[ $asks ]]; then
            _nskit_ref '' "${words[-1]}"
            return
        fi
        program=$(($1 + 1))
        [[ ${words[program]} == -- ]] && ((program < last)) && ((program++))
    fi
    _nskit_program "$program"
}

# Completes the last of words, by longs, attached, letters, valued, required, optional and refs of the caller.
_nskit_options()
{
    local i option pending='' prefix='' value='' asks='' last=$((${#words[@]} - 1)) cur=${words[-1]}
    for ((i = ${_nskit_first:-0} + 1; i < last; i++)); do
        if [[ $pending ]]; then
            pending=
            continue
        fi
        case ${words[i]} in
            --)
                _nskit_operand $((i + 1))
                return
                ;;
            --*=*) ;;
            --*)
                _nskit_long "${words[i]}"
                [[ $option && " $valued " == *" $option "* ]] && pending=$option
                [[ $option == --same || $option == --show ]] && asks=yes
                ;;
            -?*)
                _nskit_cluster "${words[i]}"
                [[ $option && -z $value && $required == *"${option#-}"* ]] && pending=$option
                ;;
            *)
                _nskit_operand "$i"
                return
                ;;
        esac
    done
    if [[ $pending ]]; then
        "$values" "$pending" '' "$cur"
        return
    fi
    case $cur in
        --*=*)
            _nskit_long "${cur%%=*}"
            "$values" "$option" "${cur%%=*}=" "${cur#*=}"
            ;;
        - | --*)
            _nskit_offer '' "$cur" words "$longs" "$attached"
            [[ $cur == - ]] && _nskit_offer - '' words "$letters"
            ;;
        -*)
            _nskit_cluster "$cur"
            if [[ -z $option ]]; then
                COMPREPLY=("$cur")
            elif [[ $optional == *"${option#-}"* && $value == =* ]]; then
                "$values" "$option" "$prefix=" "${value#=}"
            else
                "$values" "$option" "$prefix" "$value"
            fi
            ;;
        *) _nskit_operand "$last" ;;
    esac
}

# _nskit_complete COMPLETER: calls it, then leaves of each reply only what is behind the last of
# COMP_WORDBREAKS, because that is what readline replaces.
_nskit_complete()
{
    local i trim=yes cut=${words[-1]}
    COMPREPLY=()
    "$1"
    [[ $trim ]] || return
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=:/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    [[ ${COMP_WORDS[COMP_CWORD]} == +([=:]) ]] || cut=${cut%"${COMP_WORDS[COMP_CWORD]}"}
    for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do
        COMPREPLY[i]=${COMPREPLY[i]#"$cut"}
    done
}
