# Rules declare a store by its root file, `zarr.json`, so that file alone is what Snakemake checks and
# deletes. This file handles the other files of a store.
import shutil
from contextlib import suppress

from ntkflow.stores.building import check_folder, partial_folder
from ntkflow.stores.places import StoreError, check_place, resolve_place
from ntkflow.stores.places import checkpoint_folder, sums_folder
from ntkflow.stores.planning import damaged_stores, foreign_stores

ROOTS = [file for file in PRODUCTS if file.endswith("zarr.json")]

# Jobs raise the same errors, but Snakemake would have deleted the root file before they start.
if workflow.is_main_process and (foreign := foreign_stores(ROOTS)):
    raise WorkflowError(
        "Files that ntkflow did not write are where results belong:\n" + "\n".join(foreign)
    )


@cache
def watch_stores():
    """Recompute damaged stores, and let --delete-all-output delete whole ones.

    Called by an input function: those run before Snakemake decides which jobs to run. Nothing is
    changed on disk, so that a dry run or a listing leaves everything as it was."""
    if not workflow.is_main_process:
        return
    for folder in damaged_stores(ROOTS):
        print(
            f"{folder} has lost some of its files: it will be recomputed if a target needs it",
            file=sys.stderr,
        )
        workflow.dag.forcefiles.add((folder / "zarr.json").as_posix())
    workflow.dag.clean = deleting_whole_stores(workflow.dag)


def deleting_whole_stores(dag):
    """The function behind --delete-all-output, which by itself would leave the chunks of stores."""
    delete_files = dag.clean

    async def clean(only_temp=False, dryrun=False):
        if only_temp or dryrun:
            return await delete_files(only_temp=only_temp, dryrun=dryrun)
        if workflow.persistence.locked:
            raise WorkflowError(
                "--delete-all-output: found another run at work in this folder, expected none; wait "
                "for it or stop it. If it was killed, first run snakemake --unlock"
            )
        await delete_files()
        try:
            for file in {Path(file) for job in dag.jobs for file in job.output}:
                if not file.exists():  # Snakemake leaves write-protected files
                    delete_remains(file)
        except OSError as error:
            raise WorkflowError(
                f"{error.filename}: found that it cannot be deleted ({error.strerror}), expected "
                "write permission; correct it and run --delete-all-output again"
            ) from None

    return clean


def delete_remains(output):
    """Delete what a deleted output leaves: chunks, sums, unfinished work, empty folders."""
    product = output.parent if output.name == "zarr.json" else output
    if product != output:
        discard(product, lambda folder: check_place(resolve_place(folder), kind=None))
    for hidden in (partial_folder, checkpoint_folder, sums_folder):
        discard(hidden(product), check_folder)
    for marker in product.parent.glob(f".{product.name}.share-*"):  # of an unfinished kernel
        marker.unlink()
    for hidden in product.parent.glob(f".{product.name}.*.partial"):  # of a figure, by process
        if hidden.name.removesuffix(".partial").rpartition(".")[2].isdecimal():
            hidden.unlink()
    with suppress(OSError):  # raised at the first folder that is not empty
        os.removedirs(product.parent)


def discard(folder, check):
    """Delete a folder, unless `check` raises StoreError because something else is in it."""
    if folder.is_dir():
        try:
            check(folder)
            shutil.rmtree(folder.resolve())
        except StoreError as error:
            print(f"kept: {error}", file=sys.stderr)
