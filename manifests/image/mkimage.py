#!/usr/bin/env python3
"""Writes a container image as a docker-archive tar; needs no registry and no container engine. The same input gives the same bytes.

  mkimage.py OUT TAG [--rootfs FOLDER] [--program FILE[:DST]] [--dir PATH[:MODE]] [--link PATH=TARGET] [SRC:DST[:MODE]]...

--program adds an executable and every shared library that the loader would load for it here. --owner gives a path another owner."""
import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def entry(name, mode=0o755, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name.strip("/"))
    info.mode, info.type, info.mtime = mode, kind, 0
    return info


def libraries(program):
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if "not found" in listing:
        raise SystemExit(f"mkimage.py: {program} lacks libraries:\n{listing}")
    return re.findall(r"(/\S+) \(0x", listing)


def copies(args):
    """(source, target, mode) of every single file."""
    for item in args.files:
        source, target, *mode = item.split(":")
        yield source, target, int(mode[0], 8) if mode else 0o755
    for item in args.program:
        source, _, target = item.partition(":")
        yield source, target or source, 0o755
        yield from ((library, library, 0o755) for library in libraries(source))


def layer(args):
    """The one layer: the root folder first, then single folders, files and links over it."""
    owners = dict(item.split("=") for item in args.owner)

    def plain(info):
        info.mtime, info.uname, info.gname = 0, "", ""
        info.uid = info.gid = int(owners.get("/" + info.name, info.uid))
        return info

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in sorted(os.listdir(args.rootfs)) if args.rootfs else ():
            tar.add(os.path.join(args.rootfs, name), name, filter=plain)
        for item in sorted(args.dir):
            name, _, mode = item.partition(":")
            tar.addfile(plain(entry(name, int(mode or "755", 8), tarfile.DIRTYPE)))
        for source, target, mode in sorted(set(copies(args))):
            info = entry(target, mode)
            info.size = os.path.getsize(source)
            with open(source, "rb") as file:
                tar.addfile(plain(info), file)
        for item in sorted(args.link):
            name, _, target = item.partition("=")
            info = entry(name, 0o777, tarfile.SYMTYPE)
            info.linkname = target
            tar.addfile(info)
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("tag")
    parser.add_argument("files", nargs="*", metavar="SRC:DST[:MODE]")
    parser.add_argument("--entrypoint", type=json.loads)
    parser.add_argument("--cmd", type=json.loads)
    parser.add_argument("--config", type=json.loads, default={}, help="more of the image's config, as JSON")
    for name in ("env", "dir", "link", "program", "owner"):
        parser.add_argument("--" + name, action="append", default=[])
    parser.add_argument("--rootfs", help="a folder whose tree is the base of the layer, owned as it is there")
    args = parser.parse_intermixed_args()

    blob = layer(args)
    digest = hashlib.sha256(blob).hexdigest()
    config = json.dumps({
        "architecture": ARCHITECTURES[os.uname().machine], "os": "linux",
        "config": {"Entrypoint": args.entrypoint, "Cmd": args.cmd,
                   "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] + args.env, **args.config},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
        "history": [{"created_by": "mkimage.py"}]}, sort_keys=True).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [args.tag], "Layers": [digest + "/layer.tar"]}]).encode()
    with tarfile.open(args.out + ".part", "w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in ((config_name, config), (digest + "/layer.tar", blob), ("manifest.json", manifest)):
            info = entry(name, 0o644)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    os.replace(args.out + ".part", args.out)


main()
