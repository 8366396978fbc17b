# Where an example of a document runs: a machine as a reader has it, of which nothing is left. Called as
# `frame.sh DIR`, in mount, network, UTS, IPC and PID namespaces of its own, which end with it.
#
# DIR has `given`, what the example takes for granted, and in the order of their names scripts, each a part of the
# example that one user types: `1-ann`, `2-root`. Root's home is the directory where ann is, too.
set -e
dir=$1
hostname host
ip link set lo up
for place in /run /home /root /srv /usr/local; do
    [[ -d $place ]] && mount -t tmpfs -o mode=755 tmpfs "$place"
done
mkdir -p /run/.etc/{upper,work}
if ! mount -t overlay -o lowerdir=/etc,upperdir=/run/.etc/upper,workdir=/run/.etc/work overlay /etc; then
    cp -a /etc /run/.etc/copy
    mount --bind /run/.etc/copy /etc
fi 2>/dev/null
mkdir -p /usr/local/bin /run/netns /home/ann
# Accounts whose numbers a reader would find: the first user that was made, with subordinate IDs.
for file in passwd group; do
    sed -i '/^ann:/d; /:1000:/d' /etc/$file
done
echo 'ann:x:1000:1000::/home/ann:/bin/sh' >>/etc/passwd
echo 'ann:x:1000:' >>/etc/group
printf '%s\n' ann:100000:65536 | tee /etc/subuid >/etc/subgid
chown 1000:1000 /home/ann
cd /home/ann
export LC_ALL=C TERM=dumb SHELL=/bin/sh NSKIT_EXPLAIN=1

as_ann() {
    setpriv --reuid 1000 --regid 1000 --init-groups --inh-caps=-all env HOME=/home/ann USER=ann "$@"
}

# hold PID WORDS: the process PID sleeps in what util-linux's `unshare WORDS` makes. WORDS end before the program,
# and begin with a cluster; with an f in it, the process is unshare's child.
util_linux=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin type -P unshare)
HOLD_AS=()
hold() {
    local last=$(($1 - 1)) maker name=
    [[ $2 == -*f* ]] && last=$(($1 - 2))
    echo $last >/proc/sys/kernel/ns_last_pid
    "${HOLD_AS[@]}" "$util_linux" "${@:2}" sleep 3600 &
    maker=$!
    # Nothing may be forked here, which would take the number.
    until [[ $name == sleep ]]; do
        kill -0 $maker || exit 98
        [[ ! -e /proc/$1/comm ]] || read -r name </proc/$1/comm
    done
}

# hold_ann PID WORDS: the same by ann.
hold_ann() {
    HOLD_AS=(setpriv --reuid 1000 --regid 1000 --init-groups)
    hold "$@"
    HOLD_AS=()
}

set +e
. "$dir/given" || exit 99
for script in "$dir"/[0-9]*; do
    case $script in
        *-ann) as_ann bash "$script" ;;
        *) HOME=/root USER=root bash "$script" ;;
    esac
done </dev/null
exit 0
