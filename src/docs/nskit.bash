
_nskit_own()
{
    local cur=${words[-1]}
    if ((${#words[@]} == 2)); then
        _nskit_offer '' "$cur" words "$applets doctor --list --install --help --version"
    elif [[ ${words[1]} == doctor ]]; then
        _nskit_offer '' "$cur" words "$applets --json --quiet"
    elif [[ ${words[1]} == --install && $cur == -* ]]; then
        _nskit_offer '' "$cur" words -s -f
    elif [[ ${words[1]} == --install ]]; then
        _nskit_offer '' "$cur" directories
    fi
}
