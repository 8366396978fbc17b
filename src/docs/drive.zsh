# drive.zsh SHELL SETUP LINE...: types each line and a TAB in an interactive shell of its own, and
# prints what each became. SETUP makes of the applets functions that print their arguments, then DONE.
zmodload zsh/zpty
local text line
zpty terminal "$1"
zpty -w terminal "$2"
zpty -w terminal 'echo RE""ADY'
zpty -r terminal text $'*READY\r\n*' || exit
for line in "${@:3}"; do
    zpty -w -n terminal "$line"$'\t\n'
    zpty -r terminal text $'*DONE\r\n*' || exit
    text=${text%DONE*}
    print -r -- "<${text#*<}"
done
zpty -d terminal
