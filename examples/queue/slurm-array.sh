#!/bin/bash
#SBATCH --array=0-7
#SBATCH --gpus=1
#SBATCH --requeue
#SBATCH --signal=TERM@60
# Usage: sbatch slurm-array.sh PICTURES MODEL OUT [flags]. A task that is requeued goes on with what is not done.
exec blip2-run "$1" --model "$2" --out "$3" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" "${@:4}"
