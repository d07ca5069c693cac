#!/usr/bin/env bash
# A Slurm of one node on this machine, for tests: the controller, a daemon and MUNGE, on loopback, as
# root, without systemd, accounting or a database. It has the partition `main` and a pretended GPU.
#
#   node.sh install        Debian's packages
#   node.sh start FOLDER   returns when the node is idle; its configuration is in /etc/slurm, with
#                          the caller's process ID in the first line, all else in FOLDER
#   node.sh stop FOLDER    ends what `start` has started there
set -euo pipefail

CONFIGURATION=${NODE_CONFIGURATION:-/etc/slurm}  # where Slurm looks if a job has lost SLURM_CONF
FILES=(slurm.conf gres.conf cgroup.conf)
MARK="# Written by tests/slurm/node.sh for process"

install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install --yes -qq --no-install-recommends slurm-wlm munge > /dev/null
}

configure() {
  local host cores memory
  host=$(hostname -s)
  cores=$(nproc)
  memory=$(awk '/MemTotal/ {print int($2 / 1024) - 1024}' /proc/meminfo)
  cat > "$CONFIGURATION/slurm.conf" << END
$MARK $PPID in $1
ClusterName=ntkflow
SlurmctldHost=$host(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$1/munge.socket
SlurmctldPort=17817
SlurmdPort=17818
SlurmctldPidFile=$1/slurmctld.pid
SlurmdPidFile=$1/slurmd.pid
SlurmctldLogFile=$1/slurmctld.log
SlurmdLogFile=$1/slurmd.log
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=0
DefMemPerCPU=512
MinJobAge=7200
KillWait=5
ReturnToService=2
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$memory Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
  printf '%s\n' "$MARK $PPID in $1" "Name=gpu File=/dev/null" > "$CONFIGURATION/gres.conf"
  printf '%s\n' "$MARK $PPID in $1" "CgroupPlugin=cgroup/v1" > "$CONFIGURATION/cgroup.conf"
}

# Ends what a killed caller has left; an error if the configuration is of anything else.
clean() {
  local file line
  for file in "${FILES[@]}"; do
    [ -e "$CONFIGURATION/$file" ] || continue
    line=$(head -n 1 "$CONFIGURATION/$file")
    if [[ $line =~ ^"$MARK "([0-9]+)" in "(.+)$ ]] && ! [ -e "/proc/${BASH_REMATCH[1]}" ]; then
      stop "${BASH_REMATCH[2]}"
    else
      echo "found $CONFIGURATION/$file: this machine has a Slurm already" >&2
      exit 1
    fi
  done
}

start() {
  clean
  mkdir -p "$1/state" "$1/spool" "$CONFIGURATION"
  configure "$1"
  (umask 077 && head -c 1024 /dev/urandom > "$1/munge.key")
  munged --force --key-file="$1/munge.key" --socket="$1/munge.socket" \
    --pid-file="$1/munged.pid" --log-file="$1/munged.log" --seed-file="$1/munged.seed"
  slurmctld -i
  slurmd
  for _ in $(seq 300); do
    sinfo --noheader --format=%T 2> /dev/null | grep -qx idle && return
    sleep 0.1
  done
  echo "the node is not idle after 30 s; the ends of its logs:" >&2
  tail -n 5 "$1"/*.log >&2
  exit 1
}

stop() {
  local daemon file pid
  for daemon in slurmd slurmctld munged; do
    pid=$(cat "$1/$daemon.pid" 2> /dev/null) || continue
    # The number may be that of another process by now.
    [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$daemon" ] || continue
    if [ "$daemon" = slurmd ]; then scancel --user=root 2> /dev/null || true; fi
    kill "$pid" 2> /dev/null || continue
    for _ in $(seq 100); do
      kill -0 "$pid" 2> /dev/null || break
      sleep 0.1
    done
    kill -9 "$pid" 2> /dev/null || true
  done
  for file in "${FILES[@]}"; do
    if [[ $(head -n 1 "$CONFIGURATION/$file" 2> /dev/null) == "$MARK "*" in $1" ]]; then
      rm "$CONFIGURATION/$file"
    fi
  done
}

"$@"
