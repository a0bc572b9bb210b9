#!/usr/bin/env python3
"""Builds the image of the Containerfile beside this and writes it as a docker-archive.

  image.py --binary build/bin/slipway [--tag localhost/slipway:1] [--out build/image/slipway.tar] [--with podman|docker|buildah|debian]

A container engine builds the file as it stands, if there is one that works and its base image can be had. Otherwise the same image is put
together from Debian packages: mmdebstrap or debootstrap makes the root, the last stage of the Containerfile says which packages, user,
labels and commands belong to it, and the binary is the one that is built here."""
import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
SUITE = "bookworm"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
# What debian:bookworm-slim leaves out, too.
LEFT_OUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*", "/usr/share/linda/*", "/usr/share/groff/*"]
# An alternative of usr-is-merged that comes in first, and brings 40 MB of perl.
NOT_NEEDED = ["usrmerge", "libfile-find-rule-perl", "libnumber-compare-perl", "libtext-glob-perl", "perl", "perl-modules-5.36", "libperl5.36"]
ENGINES = ("buildah", "podman", "docker")


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*words, **more):
    return subprocess.run(words, check=True, **more)


def last_stage():
    """The instructions of the Containerfile's last stage, as (word, rest), continued lines joined."""
    with open(os.path.join(HERE, "Containerfile"), encoding="utf-8") as file:
        text = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", file.read(), flags=re.M))
    stage = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        word, rest = line.split(None, 1)
        stage = [] if word == "FROM" else stage + [(word, rest)]
    return stage


def pairs(text):
    """`A="b c" D=e` as a map."""
    return {name: value.strip('"') for name, value in re.findall(r'([\w.]+)=("[^"]*"|\S+)', text)}


def nanoseconds(text):
    return int(text.rstrip("s")) * 1_000_000_000


def health_check(text):
    options = dict(re.findall(r"--([\w-]+)=(\w+)", text))
    return {"Test": ["CMD"] + json.loads(text.split(" CMD ", 1)[1]), "Interval": nanoseconds(options["interval"]),
            "Timeout": nanoseconds(options["timeout"]), "StartPeriod": nanoseconds(options["start-period"])}


def recipe():
    """Packages, owned folders and config of the image."""
    packages, folders, env, config = [], [], [], {}
    for word, rest in last_stage():
        if word == "RUN":
            packages = re.search(r"--no-install-recommends ([^&]+)&&", rest).group(1).split()
            folders = re.findall(r"install -d -o (\d+) -g \d+ -m 0*(\d+) (\S+)", rest)
        elif word == "ENV":
            env += [f"{name}={value}" for name, value in pairs(rest).items()]
        elif word == "LABEL":
            config["Labels"] = pairs(rest)
        elif word == "VOLUME":
            config["Volumes"] = {path: {} for path in json.loads(rest)}
        elif word in ("ENTRYPOINT", "CMD"):
            config[word.capitalize()] = json.loads(rest)
        elif word == "HEALTHCHECK":
            config["Healthcheck"] = health_check(rest)
        elif word in ("WORKDIR", "USER", "STOPSIGNAL"):
            config[{"WORKDIR": "WorkingDir", "USER": "User", "STOPSIGNAL": "StopSignal"}[word]] = rest
        elif word != "COPY":
            raise SystemExit(f"image.py: the Containerfile's last stage has {word}, which is not known here")
    return packages, folders, env, config


def make_root(folder, packages):
    """A Debian of what the packages need."""
    names = ",".join(packages)
    if shutil.which("mmdebstrap"):
        options = [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT] + ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
        run("mmdebstrap", "--quiet", "--variant=essential", '--aptopt=APT::Install-Recommends "false"', f"--include=usr-is-merged,{names}",
            f"--customize-hook=chroot \"$1\" dpkg --purge {' '.join(NOT_NEEDED)} >/dev/null", *options, SUITE, folder, MIRROR)
    elif shutil.which("debootstrap"):
        run("debootstrap", "--variant=minbase", "--include=" + names, SUITE, folder, MIRROR, stdout=subprocess.DEVNULL)
        for path in LEFT_OUT + ["/var/cache/apt/*", "/var/lib/apt/lists/*", "/var/log/*"]:
            run("find", folder + path.rstrip("*"), "-mindepth", "1", "-not", "-name", "copyright", "-not", "-type", "d", "-delete")
    else:
        raise SystemExit("image.py: needs the Debian package mmdebstrap (or debootstrap)")
    run("find", folder + "/dev", "-mindepth", "1", "-delete")  # an engine makes its own
    # Nobody converts character sets here: 9 MB.
    shutil.rmtree(folder + "/usr/lib/x86_64-linux-gnu/gconv", ignore_errors=True)


def cached_root(packages):
    """Made once a month, for Debian's security updates, or when the packages change."""
    key = hashlib.sha256(" ".join(packages + LEFT_OUT).encode()).hexdigest()[:12]
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "slipway/image")
    root = os.path.join(cache, f"{SUITE}-{key}-{time.strftime('%Y-%m', time.gmtime())}")
    if not os.path.isdir(root):
        os.makedirs(cache, exist_ok=True)
        say(f"making a Debian {SUITE} of {', '.join(packages)}")
        shutil.rmtree(root + ".part", ignore_errors=True)
        make_root(root + ".part", packages)
        os.rename(root + ".part", root)
    return root


def from_debian(args):
    if os.geteuid() != 0:
        raise SystemExit("image.py: needs root to make a Debian root with its owners; or a container engine and a registry")
    packages, folders, env, config = recipe()
    root = cached_root(packages)
    with tempfile.TemporaryDirectory() as work:
        stripped = os.path.join(work, "slipway")
        run("strip", "-o", stripped, args.binary)
        words = [os.path.join(HERE, "mkimage.py"), args.out, args.tag, "--rootfs", root, "--config", json.dumps(config)]
        for owner, mode, path in folders:
            words += ["--dir", f"{path}:{mode}", "--owner", f"{path}={owner}"]
        words += [word for item in env for word in ("--env", item)]
        run(*words, stripped + ":/usr/local/bin/slipway")


def works(engine):
    if not shutil.which(engine):
        return False
    return subprocess.run([engine, "info"], capture_output=True, check=False).returncode == 0


def from_engine(engine, args):
    """False if the engine could not build it; what it said stands above."""
    build = [engine, "build", "-t", args.tag, "-f", os.path.join(HERE, "Containerfile"), "."]
    if subprocess.run(build, cwd=SOURCE, check=False).returncode != 0:
        return False
    if engine == "buildah":
        run("buildah", "push", args.tag, f"docker-archive:{args.out}:{args.tag}")
    else:
        run(engine, "save", "-o", args.out, args.tag)
    return True


def unpacked_size(archive):
    """Bytes of the files in its layers."""
    total = 0
    with tarfile.open(archive) as outer:
        for layer in json.load(outer.extractfile("manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                total += sum(member.size for member in inner if member.isreg())
    return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--tag", default="localhost/slipway:1")
    parser.add_argument("--out", default=os.path.join(SOURCE, "build/image/slipway.tar"))
    parser.add_argument("--with", dest="how", choices=ENGINES + ("debian",), help="only this way")
    args = parser.parse_args()
    args.out = os.path.abspath(args.out)
    os.makedirs(os.path.dirname(args.out), exist_ok=True)
    engines = [] if args.how == "debian" else [args.how] if args.how else [engine for engine in ENGINES if works(engine)]
    how = next((engine for engine in engines if from_engine(engine, args)), None)
    if how is None and args.how not in (None, "debian"):
        raise SystemExit(f"image.py: {args.how} did not build it")
    if how is None:
        say("no container engine built it here, or none was asked; from Debian packages, then")
        from_debian(args)
        how = "Debian packages"
    size = unpacked_size(args.out) / 1e6
    print(f"{args.tag} by {how}: {args.out}, {size:.0f} MB of files")
    if size > 150:
        raise SystemExit("image.py: more than the 150 MB it may have")


main()
