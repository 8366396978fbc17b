# fish completion for setns(1).
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
function __nskit_setns_operands
    set -l words (commandline -opc)
    set -e words[1]
    argparse --stop-nonopt in-order ip-netns same q/quiet show tree json t/type= p/task= processes o/output= n/noheadings raw limits kernel-threads all-processes S/setuid= G/setgid= groups= keep-caps f/fork F/no-fork r/root=\? w/wd=\? W/wdns=\? v/verbose status-fd= pidfile= explain dry-run V/version h/help -- $words 2>/dev/null
    or return
    string join \n -- $argv
end

# Whether an option can stand here.
function __nskit_setns_in_options
    test (count (__nskit_setns_operands)) -eq 0
end

complete -c setns -n __nskit_setns_in_options -x -a '(__nskit_attached tpoSGrwW "" "rwW")'

# References to namespaces, with commas between them.
function __nskit_refs
    set -l before (commandline -ct | string match --regex '^.*[,=]|^')
    set -l value (string replace -- "$before" '' (commandline -ct))
    set -l chain (string match --regex '^(?:(?:parent|owner):)*' -- "$value")
    set -l value (string replace -- "$chain" '' "$value")
    set before $before$chain
    switch "$value"
        case 0\* 1\* 2\* 3\* 4\* 5\* 6\* 7\* 8\* 9\*
            printf '%s\n' $before(__nskit_processes)
        case 'pid:*'
            printf '%s\n' {$before}pid:(__nskit_processes)
        case 'pidfile:*'
            set -l file (string replace pidfile: '' -- $value)
            printf '%s\n' {$before}pidfile:(complete -C "__nskit_no_command $file")
        case 'cgroup:*'
            printf '%s\n' {$before}cgroup:(__nskit_cgroups (string replace cgroup: '' -- $value))
        case 'netns:*' 'machine:*' 'unit:*' 'oci:*'
            set -l form (string replace --regex ':.*' '' -- "$value")
            printf '%s\n' $before$form:(__nskit_names $form)
        case '*/*'
            printf '%s\n' $before(complete -C "__nskit_no_command $value")
        case '*'
            if not string match -q '*=' -- $before; and test -z "$chain"
                printf '%s=\tKind of namespace\n' $before{cgroup,ipc,mnt,net,pid,time,user,uts}
            end
            printf '%s:\tForm of reference\n' $before{pid,netns,fd,id,sock,pidfile,cgroup,machine,unit,oci,parent,owner}
            printf '%s\n' $before{self,all}
    end
end

# Another reference, or the program.
function __nskit_setns_operand
    set -l operands (__nskit_setns_operands)
    if test (count $operands) -eq 0; or __fish_seen_argument -l same -l show
        __nskit_refs
        return
    end
    set -e operands[1]
    if test "$operands[1]" = --
        set -e operands[1]
    end
    __nskit_program $operands
end

complete -c setns -f
complete -c setns -x -a '(__nskit_setns_operand)'
complete -c setns -n __nskit_setns_in_options -l in-order -d 'enter the namespaces in the order given'
complete -c setns -n __nskit_setns_in_options -l ip-netns -d 'set up /sys and /etc as ip netns exec does for the network named by netns:'
complete -c setns -n __nskit_setns_in_options -l same -d 'tell whether the namespaces named are the same: 0 yes, 1 no'
complete -c setns -n __nskit_setns_in_options -s q -l quiet -d 'with --same: print nothing'
complete -c setns -n __nskit_setns_in_options -l show -d 'show the namespaces named, or all'
complete -c setns -n __nskit_setns_in_options -l tree -d 'with --show: draw who owns and contains whom'
complete -c setns -n __nskit_setns_in_options -l json -d 'with --same, --show or --dry-run: as JSON'
complete -c setns -n __nskit_setns_in_options -s t -l type -d 'with --show: only namespaces of these kinds' -x -a '(__nskit_list printf "%s\\n" user cgroup ipc uts net pid mnt time)'
complete -c setns -n __nskit_setns_in_options -s p -l task -d 'with --show: those of this process' -x -a '(__nskit_process_refs tpoSGrwW)'
complete -c setns -n __nskit_setns_in_options -l processes -d 'with --show: a line for each process in them'
complete -c setns -n __nskit_setns_in_options -s o -l output -d 'with --show: these columns; with + in front, also these' -x -a '(__nskit_list printf "%s\\n" all KIND INODE ID OWNER OWNER-UID OWNER-USER PARENT NETNSID OURS PROCS PID PPID UID USER COMMAND PATH NSFS KEPT-BY)'
complete -c setns -n __nskit_setns_in_options -s n -l noheadings -d 'with --show: no headings'
complete -c setns -n __nskit_setns_in_options -l raw -d 'with --show: one blank between cells, none in them'
complete -c setns -n __nskit_setns_in_options -l limits -d 'with --show: the limits too, also where namespaces are named'
complete -c setns -n __nskit_setns_in_options -l kernel-threads -d 'with --tree: kernel threads too'
complete -c setns -n __nskit_setns_in_options -l all-processes -d 'with --tree: also each process of the caller\'s PID namespace, and those that are alike'
complete -c setns -n __nskit_setns_in_options -s S -l setuid -d 'user of the program, inside' -x -a '(__fish_complete_users) follow'
complete -c setns -n __nskit_setns_in_options -s G -l setgid -d 'group of the program, inside; drops supplementary groups' -x -a '(__fish_complete_groups) follow'
complete -c setns -n __nskit_setns_in_options -l groups -d 'supplementary groups of the program, inside' -x -a '(__nskit_list __fish_complete_groups) follow'
complete -c setns -n __nskit_setns_in_options -l keep-caps -d 'keep the capabilities held in the user namespace across exec'
complete -c setns -n __nskit_setns_in_options -s f -l fork -d 'run the program as a child'
complete -c setns -n __nskit_setns_in_options -s F -l no-fork -d 'do not fork after entering a PID namespace'
complete -c setns -n __nskit_setns_in_options -s r -l root -d 'root directory: the process\'s, or <dir>' -a '(__nskit_directories tpoSGrwW)'
complete -c setns -n __nskit_setns_in_options -s w -l wd -d 'working directory: the process\'s, or <dir>' -a '(__nskit_directories tpoSGrwW)'
complete -c setns -n __nskit_setns_in_options -s W -l wdns -d 'working directory, looked up inside' -a '(__nskit_directories tpoSGrwW)'
complete -c setns -n __nskit_setns_in_options -s v -l verbose -d 'say each step with its result'
complete -c setns -n __nskit_setns_in_options -l status-fd -d 'report on this descriptor, a line of JSON for each event' -x -a ''
complete -c setns -n __nskit_setns_in_options -l pidfile -d 'write the program\'s PID to <file> before it starts' -x -a '(__nskit_files tpoSGrwW)'
complete -c setns -n __nskit_setns_in_options -l explain -d 'on failure say why, and what to do'
complete -c setns -n __nskit_setns_in_options -l dry-run -d 'print the steps and change nothing'
complete -c setns -n __nskit_setns_in_options -s V -l version -d 'show the version'
complete -c setns -n __nskit_setns_in_options -s h -l help -d 'show this help'
