# fish completion for nskit(1).
# Made from the options' declarations: UPDATE_DOCS=1 cargo test docs. Do not edit.

function __nskit_applet
    set -l words (commandline -opc)
    contains -- $words[2] unshare nsenter setns
end

# After doctor, before an applet.
function __nskit_doctor
    set -l words (commandline -opc)
    test "$words[2]" = doctor; or return
    for word in $words[3..]
        contains -- $word unshare nsenter setns; and return 1
    end
    return 0
end

function __nskit_judged
    set -l words (commandline -opc)
    test "$words[2]" = doctor; and not __nskit_doctor
end

complete -c nskit -f
complete -c nskit -n __nskit_applet -a '(__fish_complete_subcommand)'
complete -c nskit -n __nskit_judged -a '(__fish_complete_subcommand --fcs-skip=2)'
complete -c nskit -n '__fish_is_first_token; or __nskit_doctor' -a unshare -d 'run a program in namespaces of its own'
complete -c nskit -n '__fish_is_first_token; or __nskit_doctor' -a nsenter -d 'run a program in the namespaces of other processes'
complete -c nskit -n '__fish_is_first_token; or __nskit_doctor' -a setns -d 'run a program in exactly the namespaces that are named'
complete -c nskit -n __fish_is_first_token -a doctor -d 'try what this machine lets you do'
complete -c nskit -n __nskit_doctor -l json -d 'for other programs'
complete -c nskit -n __nskit_doctor -l quiet -d 'by the exit status only'
complete -c nskit -n __fish_is_first_token -l list -d 'list the applets'
complete -c nskit -n __fish_is_first_token -l install -d 'make a link for each applet'
complete -c nskit -n __fish_is_first_token -l help -d 'show this help'
complete -c nskit -n __fish_is_first_token -l version -d 'show the version'
complete -c nskit -n '__fish_seen_argument -l install' -s s -d 'symbolic links'
complete -c nskit -n '__fish_seen_argument -l install' -s f -d 'replace files that exist'
complete -c nskit -n '__fish_seen_argument -l install' -a '(__fish_complete_directories)'
