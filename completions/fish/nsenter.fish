# fish completion for nsenter(1).
# Made from the options' declarations: UPDATE_DOCS=1 cargo test docs. Do not edit.

# What stands for the value in the word that is being typed: behind `=`, or the whole word.
function __nskit_value
    string replace --regex '^--?[^=]*=' '' -- (commandline -ct)
end

function __nskit_directories
    __fish_complete_directories (__nskit_value) ''
end

function __nskit_files
    complete -C "__nskit_no_command "(__nskit_value)
end

function __nskit_signals
    kill -l | string split --no-empty ' '
end

# Offers what the command prints for the last part of a list.
function __nskit_list
    set -l before (__nskit_value | string match --regex '^.*,|^')
    printf '%s\n' $before($argv)
end

# What there is of a form of reference that takes names.
function __nskit_names
    set -l uid (id -u)
    set -l own /user.slice/user-$uid.slice/user@$uid.service
    set -l bases /run /run/user/$uid
    set -q XDG_RUNTIME_DIR; and set -a bases $XDG_RUNTIME_DIR
    set -l paths
    switch $argv[1]
        case netns
            set paths /run/netns/*
        case machine
            set paths (string match --invert '*/unit:*' -- /run/systemd/machines/*)
        case unit
            for base in /sys/fs/cgroup{,/unified,/systemd}{,$own}
                for unit in service scope socket mount swap
                    set -a paths $base/*.$unit
                    set -a paths $base/*.slice/*.$unit
                    set -a paths $base/*.slice/*.slice/*.$unit
                    set -a paths $base/*.slice/*.slice/*.slice/*.$unit
                end
            end
        case oci
            for base in $bases
                set -a paths $base/runc/*/state.json $base/crun/*/status
                set -a paths $base/containerd/runc/*/*/state.json $base/containerd/runc/*/*/status
                set -a paths $base/docker/runtime-*/*/*/state.json $base/docker/runtime-*/*/*/status
            end
            set paths (string replace --regex '/[^/]*$' '' -- $paths)
    end
    string replace --regex '.*/' '' -- $paths
end

# A process: its PID, or a reference to it.
function __nskit_process_refs
    set -l value (__nskit_value)
    set -l form (string match --regex '^(?:machine|unit|oci)(?=:)' -- "$value")
    if test -n "$form"
        printf '%s\n' $form:(__nskit_names $form)
    else
        __fish_complete_pids
        printf '%s:\tForm of reference\n' pid pidfile cgroup machine unit oci fd
        echo self
    end
end

# The program, of which these words have been typed before the current one.
function __nskit_program
    if set -q argv[1]; or not string match --quiet -- '-*' (commandline -ct)
        __fish_complete_subcommand --commandline $argv (commandline -ct)
    end
end

# The operands before the word that is being typed; fails where options are read wrongly so far.
function __nskit_nsenter_operands
    set -l words (commandline -opc)
    set -e words[1]
    argparse --stop-nonopt a/all t/target= m/mount=\? u/uts=\? i/ipc=\? n/net=\? N/net-socket= p/pid=\? C/cgroup=\? U/user=\? user-parent T/time=\? S/setuid= G/setgid= groups= preserve-credentials keep-caps Z/follow-context follow-apparmor c/join-cgroup F/no-fork kill-child=\? forward-signals=\? r/root=\? w/wd=\? W/wdns=\? e/env status-fd= pidfile= explain dry-run json V/version h/help -- $words 2>/dev/null
    or return
    string join \n -- $argv
end

# Whether an option can stand here.
function __nskit_nsenter_in_options
    test (count (__nskit_nsenter_operands)) -eq 0
end

complete -c nsenter -f
complete -c nsenter -x -a '(__nskit_program (__nskit_nsenter_operands))'
complete -c nsenter -n __nskit_nsenter_in_options -s a -l all -d 'all namespaces of the target'
complete -c nsenter -n __nskit_nsenter_in_options -s t -l target -d 'process to take the contexts from; a ref as in setns(1), say oci:ID' -x -a '(__nskit_process_refs)'
complete -c nsenter -n __nskit_nsenter_in_options -s m -l mount -d 'mount namespace' -a '(__nskit_files)'
complete -c nsenter -n __nskit_nsenter_in_options -s u -l uts -d 'UTS namespace (hostname)' -a '(__nskit_files)'
complete -c nsenter -n __nskit_nsenter_in_options -s i -l ipc -d 'IPC namespace (System V IPC, POSIX message queues)' -a '(__nskit_files)'
complete -c nsenter -n __nskit_nsenter_in_options -s n -l net -d 'network namespace' -a '(__nskit_files)'
complete -c nsenter -n __nskit_nsenter_in_options -s N -l net-socket -d 'network namespace of the target\'s socket <fd>' -x -a ''
complete -c nsenter -n __nskit_nsenter_in_options -s p -l pid -d 'PID namespace; forks (see --no-fork)' -a '(__nskit_files)'
complete -c nsenter -n __nskit_nsenter_in_options -s C -l cgroup -d 'cgroup namespace' -a '(__nskit_files)'
complete -c nsenter -n __nskit_nsenter_in_options -s U -l user -d 'user namespace' -a '(__nskit_files)'
complete -c nsenter -n __nskit_nsenter_in_options -l user-parent -d 'parent user namespace of the one entered, or owner; repeat for more levels'
complete -c nsenter -n __nskit_nsenter_in_options -s T -l time -d 'time namespace' -a '(__nskit_files)'
complete -c nsenter -n __nskit_nsenter_in_options -s S -l setuid -d 'user of the program, inside' -x -a '(__fish_complete_users) follow'
complete -c nsenter -n __nskit_nsenter_in_options -s G -l setgid -d 'group of the program, inside; drops supplementary groups' -x -a '(__fish_complete_groups) follow'
complete -c nsenter -n __nskit_nsenter_in_options -l groups -d 'supplementary groups of the program, inside' -x -a '(__nskit_list __fish_complete_groups) follow'
complete -c nsenter -n __nskit_nsenter_in_options -l preserve-credentials -d 'leave user, group and groups alone in a user namespace'
complete -c nsenter -n __nskit_nsenter_in_options -l keep-caps -d 'keep the capabilities held in the user namespace across exec'
complete -c nsenter -n __nskit_nsenter_in_options -s Z -l follow-context -d 'SELinux context of the target'
complete -c nsenter -n __nskit_nsenter_in_options -l follow-apparmor -d 'the AppArmor profile of the target'
complete -c nsenter -n __nskit_nsenter_in_options -s c -l join-cgroup -d 'cgroup of the target'
complete -c nsenter -n __nskit_nsenter_in_options -s F -l no-fork -d 'do not fork after entering a PID namespace'
complete -c nsenter -n __nskit_nsenter_in_options -l kill-child -d 'send the child this signal when nsenter dies (default KILL)' -a '(__nskit_signals)'
complete -c nsenter -n __nskit_nsenter_in_options -l forward-signals -d 'pass signals on to the child' -a '(__nskit_list __nskit_signals)'
complete -c nsenter -n __nskit_nsenter_in_options -s r -l root -d 'root directory: the target\'s, or <dir>' -a '(__nskit_directories)'
complete -c nsenter -n __nskit_nsenter_in_options -s w -l wd -d 'working directory: the target\'s, or <dir>' -a '(__nskit_directories)'
complete -c nsenter -n __nskit_nsenter_in_options -s W -l wdns -d 'working directory, looked up inside' -a '(__nskit_directories)'
complete -c nsenter -n __nskit_nsenter_in_options -s e -l env -d 'environment of the target'
complete -c nsenter -n __nskit_nsenter_in_options -l status-fd -d 'report on this descriptor, a line of JSON for each event' -x -a ''
complete -c nsenter -n __nskit_nsenter_in_options -l pidfile -d 'write the program\'s PID to <file> before it starts' -r -F
complete -c nsenter -n __nskit_nsenter_in_options -l explain -d 'on failure say why, and what to do'
complete -c nsenter -n __nskit_nsenter_in_options -l dry-run -d 'print the steps and change nothing'
complete -c nsenter -n __nskit_nsenter_in_options -l json -d 'with --dry-run: as JSON'
complete -c nsenter -n __nskit_nsenter_in_options -s V -l version -d 'show the version'
complete -c nsenter -n __nskit_nsenter_in_options -s h -l help -d 'show this help'
