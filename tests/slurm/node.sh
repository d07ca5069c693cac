#!/usr/bin/env bash
# A Slurm of one node on this machine, for tests: the controller, a daemon and MUNGE, on loopback, as
# root, without systemd, accounting or a database. It has the partition `main` and a pretended GPU.
#
#   node.sh install        Debian's packages
#   node.sh start FOLDER   returns when the node is idle; all its files are in FOLDER
#   node.sh stop FOLDER    ends what `start` has started there
set -euo pipefail

CONFIGURATION=/etc/slurm  # where Slurm looks when a job has lost SLURM_CONF
FILES=(slurm.conf gres.conf cgroup.conf)

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
  cat > "$1/slurm.conf" << END
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
  echo "Name=gpu File=/dev/null" > "$1/gres.conf"
  echo "CgroupPlugin=cgroup/v1" > "$1/cgroup.conf"
}

start() {
  local file
  for file in "${FILES[@]}"; do
    if [ -e "$CONFIGURATION/$file" ]; then
      echo "found $CONFIGURATION/$file: this machine has a Slurm already" >&2
      exit 1
    fi
  done
  mkdir -p "$1/state" "$1/spool" "$CONFIGURATION"
  configure "$1"
  for file in "${FILES[@]}"; do ln -s "$1/$file" "$CONFIGURATION/$file"; done
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
  scancel --user=root 2> /dev/null || true
  for daemon in slurmd slurmctld munged; do
    pid=$(cat "$1/$daemon.pid" 2> /dev/null) || continue
    kill "$pid" 2> /dev/null || continue
    for _ in $(seq 100); do
      kill -0 "$pid" 2> /dev/null || break
      sleep 0.1
    done
    kill -9 "$pid" 2> /dev/null || true
  done
  for file in "${FILES[@]}"; do
    if [ "$(readlink "$CONFIGURATION/$file")" = "$1/$file" ]; then rm "$CONFIGURATION/$file"; fi
  done
}

"$@"
