"""`daskjob init`: a job to begin with."""

from __future__ import annotations

import textwrap
from pathlib import Path

import click

from daskjob.cli.commands import refuse
from daskjob.cli.output import tell

NAME = "first-job"
GRAPH = '''\
"""The sum of the squares of the first numbers, one task a number."""

from dask import delayed


def graph(count):
    return delayed(sum)([delayed(pow)(number, 2) for number in range(count)])
'''
MANIFEST = """\
# Here: daskjob run job.yaml. On a cluster: daskjob submit job.yaml --follow, or kubectl apply -f job.yaml.
apiVersion: daskjob.io/v1alpha1
kind: DaskJob
metadata: {{name: {name}}}
spec:
  graph:
    entrypoint: graph:graph       # module:attribute; a function is called with args
    args: [100]
    source:                       # leave it out if the code is in the image
      inline: |                   # as graph.py; daskjob submit graph.py:graph 100 takes the file itself
{code}
  cluster:
    {image}
    workers: {{replicas: 2}}        # or adaptive: {{minimum: 1, maximum: 10}}
"""
IMAGE = "image: {}   # any image with dask and distributed"
NO_IMAGE = "# image: my-registry/dask:2026.8.0   # any with dask and distributed; the installation may have one for all"


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option("--name", default=NAME, show_default=True, help="Of the job.")
@click.option("--image", metavar="IMAGE", help="Of the job: any with dask and distributed in it.")
def init(folder: Path, name: str, image: str | None) -> None:
    """Write a job to begin with: FOLDER/job.yaml, and its code, FOLDER/graph.py. Files that exist stay as they are.

    Both run as they are, by `daskjob run job.yaml` and `daskjob submit job.yaml`.
    """
    job, graph = folder / "job.yaml", folder / "graph.py"
    lines = textwrap.indent(GRAPH, " " * 8).rstrip()
    shown = IMAGE.format(image) if image else NO_IMAGE
    manifest = MANIFEST.format(name=name, code=lines, image=shown)
    if image or name != NAME:
        _check(manifest)
    found = [str(each) for each in (job, graph) if each.exists()]
    if found:
        refuse(f"{' and '.join(found)}: exists already; give another folder (daskjob init FOLDER)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in ((graph, GRAPH), (job, manifest)):
            with file.open("x", encoding="utf-8") as opened:
                opened.write(content)
            tell(f"wrote {file}")
    except OSError as error:
        refuse(f"{error.filename}: cannot be written: {error.strerror}")
    tell(f"try it here: daskjob run {job}; on a cluster: daskjob submit {job} --follow", err=True)


def _check(manifest: str) -> None:
    """Ends the program if the name or the image is none."""
    import yaml

    from daskjob.schema import validate

    try:
        problems = validate(yaml.safe_load(manifest))
    except yaml.YAMLError:
        refuse("--name and --image: write a name such as first-job, and an image such as my-registry/dask:2026.8.0")
    if problems:
        refuse("; ".join(map(str, problems)))
