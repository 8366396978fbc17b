
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
