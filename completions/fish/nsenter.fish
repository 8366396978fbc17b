# fish completion for nsenter(1).
# Made from the options' declarations: UPDATE_DOCS=1 cargo test docs. Do not edit.

# What stands for the value in the word that is being typed: behind `=`, behind the first of these letters in a cluster, or
# the whole word.
function __nskit_value
    set -l token (commandline -ct)
    if set -q argv[1]; and string match --quiet --regex "^-[^-]" -- $token
        string replace --regex "^-[^$argv[1]]*[$argv[1]]" '' -- $token
    else
        string replace --regex '^--?[^=]*=' '' -- $token
    end
end

function __nskit_directories
    __fish_complete_directories (__nskit_value $argv) ''
end

function __nskit_files
    complete -C "__nskit_no_command "(__nskit_value $argv)
end

# What can stand behind a letter in the same word, as -nFILE in a cluster: the letters that take a value, those of them
# that take a file, and those that take a directory.
function __nskit_attached
    set -l parts (string match --regex "^(-[^-$argv[1]]*[$argv[1]])(.*)" -- (commandline -ct))
    or return
    set -l letter (string sub --start -1 -- $parts[2])
    if string match --quiet -- "*$letter*" $argv[2]
        printf '%s\n' $parts[2](complete -C "__nskit_no_command $parts[3]")
    else if string match --quiet -- "*$letter*" $argv[3]
        printf '%s\n' $parts[2](__fish_complete_directories $parts[3] '')
    end
end

function __nskit_signals
    set -l names (kill -l | string split --no-empty ' ')
    # As they are typed: with SIG or without.
    if string match --quiet --regex '(^|,)SIG[^,]*$' -- (__nskit_value)
        set names SIG$names
    end
    printf '%s\n' $names
end

# Processes of users, with their names: threads of the kernel have no command line.
function __nskit_processes
    for dir in /proc/*/
        set -l pid (string match --regex --groups-only '^/proc/(\d+)/$' -- $dir); or continue
        test -r $dir/cmdline -a -r $dir/comm; or continue
        read --null --nchars 1 --local first <$dir/cmdline; or continue
        read --local name <$dir/comm; or continue
        printf '%s\t%s\n' $pid (string replace --all --regex '[^[:print:]]' '?' -- $name)
    end
end

# Cgroups, from the root of the unified hierarchy, or as files.
function __nskit_cgroups
    set -l base /sys/fs/cgroup
    test -d $base/unified; and set base $base/unified
    string match --quiet '/sys*' -- $argv[1]; and set base ''
    set -l lead (string match '/*' -- $argv[1] | string sub --length 1)
    set -l found $base/(string trim --left --chars / -- $argv[1])*/
    for one in (string match --invert --regex '[^A-Za-z0-9@%+=:._/-]' -- $found)
        set -l inside $one*/
        set -q inside[1]; or set one (string trim --right --chars / -- $one)
        printf '%s\n' $lead(string trim --left --chars / -- (string replace -- "$base" '' $one))
    end
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
    set -l value (__nskit_value $argv)
    set -l form (string match --regex '^(?:machine|unit|oci|cgroup|pid)(?=:)' -- "$value")
    if test "$form" = cgroup
        printf '%s\n' cgroup:(__nskit_cgroups (string replace cgroup: '' -- $value))
    else if test "$form" = pid
        printf '%s\n' pid:(__nskit_processes)
    else if test -n "$form"
        printf '%s\n' $form:(__nskit_names $form)
    else
        __nskit_processes
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

complete -c nsenter -n __nskit_nsenter_in_options -x -a '(__nskit_attached tmuinNpCUTSGrwW "muinpCUT" "rwW")'

complete -c nsenter -f
complete -c nsenter -x -a '(__nskit_program (__nskit_nsenter_operands))'
complete -c nsenter -n __nskit_nsenter_in_options -s a -l all -d 'all namespaces of the target'
complete -c nsenter -n __nskit_nsenter_in_options -s t -l target -d 'process to take the contexts from; a ref as in setns(1), say oci:ID' -x -a '(__nskit_process_refs tmuinNpCUTSGrwW)'
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
complete -c nsenter -n __nskit_nsenter_in_options -s r -l root -d 'root directory: the target\'s, or <dir>' -a '(__nskit_directories tmuinNpCUTSGrwW)'
complete -c nsenter -n __nskit_nsenter_in_options -s w -l wd -d 'working directory: the target\'s, or <dir>' -a '(__nskit_directories tmuinNpCUTSGrwW)'
complete -c nsenter -n __nskit_nsenter_in_options -s W -l wdns -d 'working directory, looked up inside' -a '(__nskit_directories tmuinNpCUTSGrwW)'
complete -c nsenter -n __nskit_nsenter_in_options -s e -l env -d 'environment of the target'
complete -c nsenter -n __nskit_nsenter_in_options -l status-fd -d 'report on this descriptor, a line of JSON for each event' -x -a ''
complete -c nsenter -n __nskit_nsenter_in_options -l pidfile -d 'write the program\'s PID to <file> before it starts' -x -a '(__nskit_files tmuinNpCUTSGrwW)'
complete -c nsenter -n __nskit_nsenter_in_options -l explain -d 'on failure say why, and what to do'
complete -c nsenter -n __nskit_nsenter_in_options -l dry-run -d 'print the steps and change nothing'
complete -c nsenter -n __nskit_nsenter_in_options -l json -d 'with --dry-run: as JSON'
complete -c nsenter -n __nskit_nsenter_in_options -s V -l version -d 'show the version'
complete -c nsenter -n __nskit_nsenter_in_options -s h -l help -d 'show this help'
