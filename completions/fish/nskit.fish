# fish completion for nskit(1).
# Made from the options' declarations: UPDATE_DOCS=1 cargo test docs. Do not edit.

function __nskit_applet
    contains -- (commandline -opc)[2] unshare nsenter setns
end

complete -c nskit -f
complete -c nskit -n __nskit_applet -a '(__fish_complete_subcommand)'
complete -c nskit -n __fish_is_first_token -a unshare -d 'run a program in namespaces of its own'
complete -c nskit -n __fish_is_first_token -a nsenter -d 'run a program in the namespaces of other processes'
complete -c nskit -n __fish_is_first_token -a setns -d 'run a program in exactly the namespaces that are named'
complete -c nskit -n __fish_is_first_token -l list -d 'list the applets'
complete -c nskit -n __fish_is_first_token -l install -d 'make a link for each applet'
complete -c nskit -n __fish_is_first_token -l help -d 'show this help'
complete -c nskit -n __fish_is_first_token -l version -d 'show the version'
complete -c nskit -n '__fish_seen_argument -l install' -s s -d 'symbolic links'
complete -c nskit -n '__fish_seen_argument -l install' -s f -d 'replace files that exist'
complete -c nskit -n '__fish_seen_argument -l install' -a '(__fish_complete_directories)'
