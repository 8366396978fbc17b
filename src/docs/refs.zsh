# References to namespaces, with commas between them.
(( $+functions[_nskit_refs] )) || _nskit_refs() {
    compset -P '*,'
    local -a kinds=(cgroup ipc mnt net pid time user uts) forms=(pid netns fd id sock pidfile cgroup machine unit oci)
    if compset -P '*='; then
        kinds=()
    fi
    while compset -P '(parent|owner):'; do
        kinds=()
    done
    if _nskit_named; then
        return
    elif compset -P 'pidfile:'; then
        _files
    elif compset -P 'cgroup:'; then
        _nskit_cgroups
    elif compset -P 'pid:'; then
        _nskit_processes
    elif [[ $PREFIX == */* ]]; then
        _files
    elif [[ $PREFIX == <-> ]]; then
        _nskit_processes
    else
        local expl
        _wanted kinds expl 'kind of namespace' compadd -S= -a kinds
        _wanted forms expl 'form of reference' compadd -S: -a forms
        _wanted forms expl 'form of reference' compadd -S: parent owner
        _wanted words expl 'word' compadd self all
    fi
}

# What follows the first reference: another one, or the program.
(( $+functions[_nskit_after_refs] )) || _nskit_after_refs() {
    if (( $+opt_args[--same] || $+opt_args[--show] )); then
        _nskit_refs
    elif [[ $words[1] == -- ]]; then
        shift words
        (( CURRENT-- ))
        _normal
    else
        _normal
    fi
}
