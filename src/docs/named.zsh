# Processes of users, by PID, with their names: threads of the kernel have no command line.
(( $+functions[_nskit_processes] )) || _nskit_processes() {
    zmodload zsh/system
    local pid name first
    local -a found
    for pid in /proc/<->(N:t); do
        { sysread -s 1 first </proc/$pid/cmdline && name=$(</proc/$pid/comm) } 2>/dev/null || continue
        name=${name//[^[:print:]]/?}
        found+=("$pid:${${name//\\/\\\\}//:/\\:}")
    done
    _describe -V -t processes process found
}

# Signals, by their names with and without SIG.
(( $+functions[_nskit_signals] )) || _nskit_signals() {
    local expl
    # Those of the shell's own stand first and last.
    local -a names=(${${signals:#(EXIT|ZERR|DEBUG)}})
    if [[ $PREFIX == SIG* ]]; then
        names=(SIG${^names})
    fi
    _wanted signals expl signal compadd "$@" -a names
}

# Cgroups, from the root of the unified hierarchy, or as files.
(( $+functions[_nskit_cgroups] )) || _nskit_cgroups() {
    local base=/sys/fs/cgroup
    if [[ -d $base/unified ]]; then
        base+=/unified
    fi
    if [[ $PREFIX == /sys* ]]; then
        _path_files -/
    else
        compset -P /
        _path_files -/ -W $base
    fi
}

# What there is of a form of reference that takes names; fails for other forms.
(( $+functions[_nskit_named] )) || _nskit_named() {
    local expl form
    local -a names bases=(/run $XDG_RUNTIME_DIR /run/user/$EUID)
    local own=/user.slice/user-$EUID.slice/user@$EUID.service
    for form in netns machine unit oci; do
        compset -P "$form:" || continue
        case $form in
            netns) names=(/run/netns/*(N:t)) ;;
            machine) names=(/run/systemd/machines/^unit:*(N:t)) ;;
            unit) names=(/sys/fs/cgroup{,/unified,/systemd}{,$own}{,/*.slice,/*.slice/*.slice,/*.slice/*.slice/*.slice}/*.(service|scope|socket|mount|swap)(N:t)) ;;
            oci) names=(${^bases}/{runc,crun,containerd/runc/*,docker/runtime-*/*}/*/{state.json,status}(N:h:t)) ;;
        esac
        _wanted names expl $form compadd -a names
        return 0
    done
    return 1
}

# A process: its PID, or a reference to it.
(( $+functions[_nskit_process_refs] )) || _nskit_process_refs() {
    local expl
    local -a forms=(pid pidfile cgroup machine unit oci fd)
    if compset -P 'pidfile:'; then
        _files
    elif compset -P 'cgroup:'; then
        _nskit_cgroups
    elif compset -P 'pid:'; then
        _nskit_processes
    elif ! _nskit_named; then
        _wanted forms expl 'form of reference' compadd -S: -a forms
        _wanted words expl 'word' compadd self
        _nskit_processes
    fi
}
