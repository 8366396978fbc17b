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
    elif compset -P 'pid:'; then
        _pids
    elif ! _nskit_named; then
        _wanted forms expl 'form of reference' compadd -S: -a forms
        _wanted words expl 'word' compadd self
        _pids
    fi
}
