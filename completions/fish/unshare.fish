# fish completion for unshare(1).
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

complete -c unshare -n __nskit_unshare_in_options -x -a '(__nskit_attached SGlRw "" "Rw")'

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
complete -c unshare -n __nskit_unshare_in_options -l mount-proc -d 'mount a fresh proc on <dir> (implies -m; default /proc)' -a '(__nskit_directories SGlRw)'
complete -c unshare -n __nskit_unshare_in_options -l mount-binfmt -d 'mount a fresh binfmt_misc on <dir> (implies -m -U)' -a '(__nskit_directories SGlRw)'
complete -c unshare -n __nskit_unshare_in_options -s l -l load-interp -d 'register a binfmt_misc entry (implies --mount-binfmt)' -x -a ''
complete -c unshare -n __nskit_unshare_in_options -s R -l root -d 'root directory of the program' -x -a '(__nskit_directories SGlRw)'
complete -c unshare -n __nskit_unshare_in_options -l pivot-root -d 'change the root with pivot_root(2), with -R and -m'
complete -c unshare -n __nskit_unshare_in_options -s w -l wd -d 'working directory of the program' -x -a '(__nskit_directories SGlRw)'
complete -c unshare -n __nskit_unshare_in_options -l clear-env -d 'start from an empty environment'
complete -c unshare -n __nskit_unshare_in_options -l whitelist-env -d 'keep only these variables' -x -a '(__nskit_list set --names --export)'
complete -c unshare -n __nskit_unshare_in_options -l status-fd -d 'report on this descriptor, a line of JSON for each event' -x -a ''
complete -c unshare -n __nskit_unshare_in_options -l pidfile -d 'write the program\'s PID to <file> before it starts' -x -a '(__nskit_files SGlRw)'
complete -c unshare -n __nskit_unshare_in_options -l explain -d 'on failure say why, and what to do'
complete -c unshare -n __nskit_unshare_in_options -l dry-run -d 'print the steps and change nothing'
complete -c unshare -n __nskit_unshare_in_options -l json -d 'with --dry-run: as JSON'
complete -c unshare -n __nskit_unshare_in_options -s V -l version -d 'show the version'
complete -c unshare -n __nskit_unshare_in_options -s h -l help -d 'show this help'
