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
