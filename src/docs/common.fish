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

# The program, of which these words have been typed before the current one.
function __nskit_program
    if set -q argv[1]; or not string match --quiet -- '-*' (commandline -ct)
        __fish_complete_subcommand --commandline $argv (commandline -ct)
    end
end
