# fish completion for unshare(1).
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
function __nskit_unshare_operands
    set -l words (commandline -opc)
    set -e words[1]
    argparse --stop-nonopt m mount=\? u uts=\? i ipc=\? n net=\? p pid=\? U user=\? C cgroup=\? T time=\? a/all map-user= map-users= map-group= map-groups= r/map-root-user c/map-current-user map-auto map-subids owner= setgroups= keep-caps S/setuid= G/setgid= groups= f/fork kill-child=\? forward-signals=\? init=\? monotonic= boottime= hostname= loopback propagation= mount-proc=\? mount-binfmt=\? l/load-interp= R/root= pivot-root w/wd= clear-env whitelist-env= status-fd= pidfile= explain dry-run json V/version h/help -- $words 2>/dev/null
    or return
    string join \n -- $argv
end

# Whether an option can stand here.
function __nskit_unshare_in_options
    test (count (__nskit_unshare_operands)) -eq 0
end

complete -c unshare -f
complete -c unshare -x -a '(__nskit_program (__nskit_unshare_operands))'
complete -c unshare -n __nskit_unshare_in_options -s m -d 'new mount namespace; made persistent on <file>'
complete -c unshare -n __nskit_unshare_in_options -l mount -d 'new mount namespace; made persistent on <file>' -a '(__nskit_files)'
complete -c unshare -n __nskit_unshare_in_options -s u -d 'new UTS namespace (hostname)'
complete -c unshare -n __nskit_unshare_in_options -l uts -d 'new UTS namespace (hostname)' -a '(__nskit_files)'
complete -c unshare -n __nskit_unshare_in_options -s i -d 'new IPC namespace (System V IPC, POSIX message queues)'
complete -c unshare -n __nskit_unshare_in_options -l ipc -d 'new IPC namespace (System V IPC, POSIX message queues)' -a '(__nskit_files)'
complete -c unshare -n __nskit_unshare_in_options -s n -d 'new network namespace'
complete -c unshare -n __nskit_unshare_in_options -l net -d 'new network namespace' -a '(__nskit_files)'
complete -c unshare -n __nskit_unshare_in_options -s p -d 'new PID namespace; only children enter it (see --fork)'
complete -c unshare -n __nskit_unshare_in_options -l pid -d 'new PID namespace; only children enter it (see --fork)' -a '(__nskit_files)'
complete -c unshare -n __nskit_unshare_in_options -s U -d 'new user namespace'
complete -c unshare -n __nskit_unshare_in_options -l user -d 'new user namespace' -a '(__nskit_files)'
complete -c unshare -n __nskit_unshare_in_options -s C -d 'new cgroup namespace'
complete -c unshare -n __nskit_unshare_in_options -l cgroup -d 'new cgroup namespace' -a '(__nskit_files)'
complete -c unshare -n __nskit_unshare_in_options -s T -d 'new time namespace'
complete -c unshare -n __nskit_unshare_in_options -l time -d 'new time namespace' -a '(__nskit_files)'
complete -c unshare -n __nskit_unshare_in_options -s a -l all -d 'every kind of namespace that this kernel has'
complete -c unshare -n __nskit_unshare_in_options -l map-user -d 'map the effective user to this one (implies -U)' -x -a '(__fish_complete_users)'
complete -c unshare -n __nskit_unshare_in_options -l map-users -d 'map a range of users, inner:outer:count (implies -U)' -x -a 'auto subids all'
complete -c unshare -n __nskit_unshare_in_options -l map-group -d 'map the effective group to this one (implies -U)' -x -a '(__fish_complete_groups)'
complete -c unshare -n __nskit_unshare_in_options -l map-groups -d 'map a range of groups, inner:outer:count (implies -U)' -x -a 'auto subids all'
complete -c unshare -n __nskit_unshare_in_options -s r -l map-root-user -d 'map the effective user and group to root (implies -U)'
complete -c unshare -n __nskit_unshare_in_options -s c -l map-current-user -d 'map the effective user and group to themselves (implies -U)'
complete -c unshare -n __nskit_unshare_in_options -l map-auto -d 'map the first subordinate ranges of users and groups, from 0 (implies -U)'
complete -c unshare -n __nskit_unshare_in_options -l map-subids -d 'map the first subordinate ranges of users and groups to themselves (implies -U)'
complete -c unshare -n __nskit_unshare_in_options -l owner -d 'user and group that own the new user namespace' -x -a ''
complete -c unshare -n __nskit_unshare_in_options -l setgroups -d 'whether setgroups(2) is allowed in the user namespace' -x -a 'allow deny'
complete -c unshare -n __nskit_unshare_in_options -l keep-caps -d 'keep the capabilities held in the user namespace across exec'
complete -c unshare -n __nskit_unshare_in_options -s S -l setuid -d 'user of the program, inside' -x -a '(__fish_complete_users)'
complete -c unshare -n __nskit_unshare_in_options -s G -l setgid -d 'group of the program, inside; drops supplementary groups' -x -a '(__fish_complete_groups)'
complete -c unshare -n __nskit_unshare_in_options -l groups -d 'supplementary groups of the program, inside' -x -a '(__nskit_list __fish_complete_groups)'
complete -c unshare -n __nskit_unshare_in_options -s f -l fork -d 'run the program as a child'
complete -c unshare -n __nskit_unshare_in_options -l kill-child -d 'send the child this signal when unshare dies (implies -f; default KILL)' -a '(__nskit_signals)'
complete -c unshare -n __nskit_unshare_in_options -l forward-signals -d 'pass signals on to the child (implies -f)' -a '(__nskit_list __nskit_signals)'
complete -c unshare -n __nskit_unshare_in_options -l init -d 'stay as PID 1 in front of the program and reap (implies -f -p)' -a 'group'
complete -c unshare -n __nskit_unshare_in_options -l monotonic -d 'offset of the monotonic clock, with -T' -x -a ''
complete -c unshare -n __nskit_unshare_in_options -l boottime -d 'offset of the boot-time clock, with -T' -x -a ''
complete -c unshare -n __nskit_unshare_in_options -l hostname -d 'host name in the UTS namespace (implies -u)' -x -a ''
complete -c unshare -n __nskit_unshare_in_options -l loopback -d 'bring the loopback interface up (implies -n)'
complete -c unshare -n __nskit_unshare_in_options -l propagation -d 'propagation of the mounts in the new mount namespace' -x -a 'slave shared private unchanged'
complete -c unshare -n __nskit_unshare_in_options -l mount-proc -d 'mount a fresh proc on <dir> (implies -m; default /proc)' -a '(__nskit_directories)'
complete -c unshare -n __nskit_unshare_in_options -l mount-binfmt -d 'mount a fresh binfmt_misc on <dir> (implies -m -U)' -a '(__nskit_directories)'
complete -c unshare -n __nskit_unshare_in_options -s l -l load-interp -d 'register a binfmt_misc entry (implies --mount-binfmt)' -x -a ''
complete -c unshare -n __nskit_unshare_in_options -s R -l root -d 'root directory of the program' -x -a '(__nskit_directories)'
complete -c unshare -n __nskit_unshare_in_options -l pivot-root -d 'change the root with pivot_root(2), with -R and -m'
complete -c unshare -n __nskit_unshare_in_options -s w -l wd -d 'working directory of the program' -x -a '(__nskit_directories)'
complete -c unshare -n __nskit_unshare_in_options -l clear-env -d 'start from an empty environment'
complete -c unshare -n __nskit_unshare_in_options -l whitelist-env -d 'keep only these variables' -x -a '(__nskit_list set --names --export)'
complete -c unshare -n __nskit_unshare_in_options -l status-fd -d 'report on this descriptor, a line of JSON for each event' -x -a ''
complete -c unshare -n __nskit_unshare_in_options -l pidfile -d 'write the program\'s PID to <file> before it starts' -r -F
complete -c unshare -n __nskit_unshare_in_options -l explain -d 'on failure say why, and what to do'
complete -c unshare -n __nskit_unshare_in_options -l dry-run -d 'print the steps and change nothing'
complete -c unshare -n __nskit_unshare_in_options -l json -d 'with --dry-run: as JSON'
complete -c unshare -n __nskit_unshare_in_options -s V -l version -d 'show the version'
complete -c unshare -n __nskit_unshare_in_options -s h -l help -d 'show this help'
