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
                compgen -A signal -- "$value"
                compgen -A signal -- "SIG$value" | while read -r one; do echo "${one#SIG}"; done
                ;;
            processes) cd /proc && compgen -G "$value*" | while read -r one; do
                [[ $one == *[!0-9]* ]] || echo "$one"
            done ;;
        esac
        compgen -W "$*" -- "$value"
    )
    for one in "${found[@]}"; do
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

# _nskit_program I: the program and its arguments, from words[I] on.
_nskit_program()
{
    trim=
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "${index[$1]}"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "${index[$1]}"
    elif (($1 == ${#words[@]} - 1)); then
        mapfile -t COMPREPLY < <(compgen -c -- "${words[-1]}")
    else
        trim=yes
        _nskit_offer '' "${words[-1]}" files
    fi
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

# Completes the last of words, by longs, letters, valued, required, optional and refs of the caller.
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
            _nskit_offer '' "$cur" words "$longs"
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
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=:] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    [[ ${COMP_WORDS[COMP_CWORD]} == +([=:]) ]] || cut=${cut%"${COMP_WORDS[COMP_CWORD]}"}
    for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do
        COMPREPLY[i]=${COMPREPLY[i]#"$cut"}
    done
}
