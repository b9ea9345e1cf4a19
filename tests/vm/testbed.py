#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots a throw-away VM with an emulated IOMMU and real PCI devices, and runs one program in it as root.

The guest sees this machine's root file system read-only with an overlay in memory, so whatever is
installed or built here runs there unchanged; nothing that the program does reaches this machine, except
what it writes under /out, which is --out here. No image is built, no network and no KVM is needed.

  testbed.py [--timeout S] [--out DIR] [--bare] [--desk] [--tap] [--memory MB] -- PROGRAM [ARG ...]

The program's output is this one's, the kernel's messages go to console.log in --out. Exit status: the
program's own; 124 on a time-out; 125 where the VM could not run it.

A line of the program that ends with one of these is a request to the testbed:
  @@MON COMMAND   is given to QEMU's monitor, e.g. '@@MON device_del nic1' pulls a card
  @@REBOOT        the program is started again in a fresh kernel when it ends, with STAGE=1, 2, ... (the
                  overlay is lost; what must survive a reboot belongs under /out or on the disk `kept`)
  @@CUT           the same at once: the power is cut, and what was not synced to the disk `kept` is lost
  @@CARD ID TEXT  from the next boot on the device ID (see below) has also these properties of QEMU, such as
                  subsys=0x1234; with "gone" it is not there; with nothing it is as it was at first

Devices (id: what):
  kept            virtio disk of 64 MiB, the only one that keeps its content over reboots without being a
                  device to give away: /dev/vda
  nic1 nic2 nic5  e1000e 8086:10d3, each alone in its IOMMU group, nic5 on NUMA node 1
  nic3 nic4       e1000 8086:100e behind one conventional bridge: ONE shared IOMMU group
  fn0 fn1         two functions of one slot (e1000e + virtio-rng), a stand-in for a GPU and its audio function
  nvme1           NVMe 1b36:0010 with an empty 64 MiB disk
  nvmepf          NVMe 1b36:0010 with SR-IOV, up to 2 VFs, its 64 MiB disk under an NVMe subsystem (multipath)
  hda             8086:2668 (no reset method)
  edu             1234:11e8 (no driver, no reset method)
With --desk also what takes a while to boot:
  display         bochs-display 1234:1111, a graphics card with a DRM driver
  usb             xHCI 1b36:000d with a keyboard and an empty 16 MiB disk
"""
import argparse
import glob
import gzip
import lzma
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# Program: the Debian package that has it.
PACKAGES = {
    "busybox": "busybox-static",
    "modprobe": "kmod",
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
}

# What the first program in the VM needs to reach the root file system.
BOOT_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]
# What tells a full kernel from one for clouds, which has no drivers for cards.
CARD_MODULES = ["vfio-pci", "e1000e", "nvme"]

# no_timer_check: a busy machine emulates too slowly for the kernel's test of its timer, which then panics.
# mitigations: of no use here, and a fifth of the time.
# module_blacklist: with KVM under emulation libvirt makes VMs by it, for which the kernel changes its own code. The
# emulator may then go on with the old code, a breakpoint, for ever (see HANG).
KERNEL_ARGS = ("console=ttyS0 intel_iommu=on no_timer_check mitigations=off module_blacklist=kvm_amd,kvm_intel "
               "quiet panic=-1")

# A line of the guest: its text, and what it asks for.
REQUEST = re.compile(r"(.*?)(?:@@(MON|REBOOT|CUT|CARD|RC)\b ?(.*))?$")

# Now and then all CPUs of a kernel under emulation wait for each other for ever. That is the emulator's fault: the
# VM is thrown away and the program begins anew, this often.
HANG = re.compile(rb"soft lockup - CPU#\d+ stuck for ([6-9]\d|\d{3,})s")
# The kernel cannot tell when none of its CPUs takes interrupts: nor at this many looks in a row, this far apart.
DEAF_LOOKS, LOOK_S = 12, 5
INTERRUPT_FLAG = 1 << 9
MAX_HANGS = 2

NODE1_MB = 512
DISKS = {"nvme1.img": 64 << 20, "nvme2.img": 64 << 20, "kept.img": 64 << 20}
# No ROMs: the firmware of the VM, and those of its own VMs, would look for something to boot in the network.
TOPOLOGY = """
-global e1000e.romfile= -global e1000.romfile=
-object memory-backend-ram,id=m0,size={node0}M -object memory-backend-ram,id=m1,size={node1}M
-numa node,nodeid=0,memdev=m0,cpus=0 -numa node,nodeid=1,memdev=m1,cpus=1
-device pcie-root-port,id=rp1,chassis=1,slot=1 -device pcie-root-port,id=rp2,chassis=2,slot=2
-device pcie-root-port,id=rp3,chassis=3,slot=3 -device pcie-root-port,id=rp4,chassis=4,slot=4
-device pcie-root-port,id=rp5,chassis=5,slot=5 -device pcie-root-port,id=rp6,chassis=6,slot=6
-netdev user,id=n1 -device e1000e,netdev=n1,bus=rp1,id=nic1
-netdev user,id=n2 -device e1000e,netdev=n2,bus=rp2,id=nic2
-drive file=nvme1.img,if=none,id=d1,format=raw -device nvme,drive=d1,serial=nvme1,bus=rp3,id=nvme1
-device pcie-pci-bridge,id=ppb,bus=rp4
-netdev user,id=n3 -device e1000,netdev=n3,bus=ppb,addr=1,id=nic3
-netdev user,id=n4 -device e1000,netdev=n4,bus=ppb,addr=2,id=nic4
-device nvme-subsys,id=ss0
-device nvme,id=nvmepf,serial=nvmepf,subsys=ss0,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,bus=rp5
-drive file=nvme2.img,if=none,id=d2,format=raw -device nvme-ns,drive=d2,bus=nvmepf,nsid=1,shared=on
-netdev user,id=n6 -device e1000e,netdev=n6,bus=rp6,id=fn0,multifunction=on,addr=0.0
-device virtio-rng-pci,bus=rp6,id=fn1,addr=0.1
-device pxb-pcie,id=pxb1,bus_nr=64,numa_node=1,bus=pcie.0
-device pcie-root-port,id=rp64,bus=pxb1,chassis=64,slot=64
-netdev user,id=n5 -device e1000e,netdev=n5,bus=rp64,id=nic5
-device intel-hda,bus=pcie.0,id=hda -device edu,bus=pcie.0,id=edu
-drive file=kept.img,if=none,id=d0,format=raw,cache=unsafe -device virtio-blk-pci,drive=d0,bus=pcie.0,id=kept
"""

# At addresses of their own: none of the others moves.
DESK = """
-device bochs-display,bus=pcie.0,addr=18,id=display -device qemu-xhci,bus=pcie.0,addr=19,id=usb
-device usb-kbd,bus=usb.0,id=keyboard
-drive file=stick.img,if=none,id=d3,format=raw -device usb-storage,drive=d3,bus=usb.0,id=stick
"""
DISKS["stick.img"] = 16 << 20


class KernelHang(Exception):
    """The guest's kernel hangs."""


class TestbedError(Exception):
    """The VM cannot be run; the text says why and what to do."""


def find_program(name):
    """Path of a program, or an error that names its package."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise TestbedError(f"{name} is missing: apt-get install {PACKAGES[name]}")
    return path


def find_static_busybox():
    """A busybox that runs where no C library is."""
    path = find_program("busybox")
    if b"/ld-linux" in read_file(path):
        raise TestbedError(f"{path} is not static: apt-get install busybox-static")
    return path


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def module_files(version, module):
    """Files of a module and of those it needs, in the order of loading; None where the kernel lacks it."""
    shown = subprocess.run([find_program("modprobe"), "--show-depends", "-S", version, module],
                           capture_output=True, text=True)
    lines = [line.split() for line in shown.stdout.splitlines()]
    return [words[1] for words in lines if words[:1] == ["insmod"]] if shown.returncode == 0 else None


def find_kernel():
    """(image, version) of the newest installed kernel that has the drivers of the cards."""
    def by_number(path):
        return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", path)]

    for folder in sorted(glob.glob("/lib/modules/*"), key=by_number, reverse=True):
        version = os.path.basename(folder)
        images = [image for image in (f"/boot/vmlinuz-{version}", f"{folder}/vmlinuz") if os.path.exists(image)]
        if images and all(module_files(version, m) is not None for m in BOOT_MODULES + CARD_MODULES):
            if not os.access(images[0], os.R_OK):
                raise TestbedError(f"{images[0]} is not readable: run as root")
            return images[0], version
    raise TestbedError("no kernel with drivers for PCI cards in /boot: apt-get install linux-image-amd64")


def newc_archive(files):
    """A cpio archive as the kernel takes it; files: name -> (mode, bytes), folders before their files.

    Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel."""
    archive = b""
    for number, (name, (mode, data)) in enumerate({**files, "TRAILER!!!": (0, b"")}.items(), start=1):
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        for part in (header + name.encode() + b"\0", data):
            archive += part + b"\0" * (-len(part) % 4)
    return archive


def build_initramfs(version, job, folders):
    """The first root file system: busybox, the modules to reach the real one, and what to start there."""
    def unpacked(path):
        unpack = {".xz": lzma.decompress, ".gz": gzip.decompress}.get(os.path.splitext(path)[1], bytes)
        return unpack(read_file(path))

    modules = dict.fromkeys(path for name in BOOT_MODULES for path in module_files(version, name))
    folder, plain, program = 0o040755, 0o100644, 0o100755
    files = {name: (folder, b"") for name in ("bin", "modules")}
    files["bin/busybox"] = (program, read_file(find_static_busybox()))
    files["init"] = (program, read_file(f"{HERE}/guest-init.sh"))
    files["start"] = (program, read_file(f"{HERE}/guest-start.sh"))
    files["job"] = (plain, job.encode())
    files["folders"] = (plain, "".join(f"{path}\n" for path in folders).encode())
    for number, path in enumerate(modules):
        files[f"modules/{number:02}.ko"] = (plain, unpacked(path))
    return newc_archive(files)


def job_text(program, stage):
    """The shell lines that guest-start.sh reads: where it starts, what, and as which stage."""
    return f"export STAGE={stage}\ncd {shlex.quote(os.getcwd())}\nset -- {shlex.join(program)}\n"


def needed_folders(program):
    """Folders that the program surely reads: the guest binds those that its own /run, /var/... would cover."""
    paths = [os.getcwd()] + [word for word in program if word.startswith("/") and os.path.exists(word)]
    return list(dict.fromkeys(p if os.path.isdir(p) else os.path.dirname(p) for p in paths))


def device_options(args):
    """The options of the devices, as the program has changed them."""
    words = TOPOLOGY.format(node0=args.memory - NODE1_MB, node1=NODE1_MB).split()
    options = []
    for option, value in zip(words[::2], words[1::2]):
        named = re.search(r"\bid=(\w+)", value)
        change = args.cards.get(named[1], "") if named and option == "-device" else ""
        if change != "gone":
            options += [option, f"{value},{change}" if change else value]
    return options


def qemu_command(args, work, image):
    """The command line of one boot; relative paths in it are in the folder `work`."""
    def escaped(path):
        return path.replace(",", ",,")

    # setpriv: the VM ends with this process even where that one has no chance to say so.
    return [
        find_program("setpriv"), "--pdeathsig", "KILL", find_program("qemu-system-x86_64"),
        "-M", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
        "-m", str(args.memory), "-nodefaults", "-display", "none", "-no-reboot",
        "-device", "intel-iommu,intremap=on,caching-mode=on",
        "-chardev", f"file,id=console,append=on,path={escaped(args.out)}/console.log",
        "-serial", "chardev:console", "-serial", "stdio", "-monitor", "unix:monitor,server,nowait",
        *(DESK.split() if args.desk else []),
        "-kernel", image, "-initrd", os.path.join(work, "initramfs"),
        "-append", f"{KERNEL_ARGS} {args.kernel_args}",
        "-virtfs", "local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap",
        "-virtfs", f"local,path={escaped(args.out)},mount_tag=out,security_model=none,multidevs=remap",
    ] + ([] if args.bare else device_options(args))


def ask_monitor(path, command):
    """Gives one command to QEMU's monitor; returns the lines that it answers. OSError."""
    def answer(link):
        text = b""
        while not text.endswith(b"(qemu) "):
            piece = link.recv(4096)
            if not piece:
                break
            text += piece
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text.decode(errors="replace"))

    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(path)
        answer(link)
        link.sendall(command.encode() + b"\n")
        return [line.strip() for line in answer(link).splitlines()[1:-1]]  # without the echo and the next prompt


def give_to_monitor(path, command):
    """The same, and prints them."""
    try:
        print(f"# monitor: {command}: " + " | ".join(ask_monitor(path, command)), flush=True)
    except OSError as error:
        print(f"# monitor: {command}: failed: {error}", flush=True)


def tells_of_hang(out):
    with open(os.path.join(out, "console.log"), "rb") as console:
        return HANG.search(console.read()) is not None


def is_deaf(monitor):
    """Whether none of the CPUs takes interrupts at this moment."""
    try:
        flags = re.findall(r"\bRFL=([0-9a-f]+)", " ".join(ask_monitor(monitor, "info registers -a")))
    except OSError:
        return False
    return bool(flags) and not any(int(word, 16) & INTERRUPT_FLAG for word in flags)


def output_lines(vm, out, monitor, deadline):
    """Lines of the guest's output until the VM ends; TimeoutError at the deadline, KernelHang."""
    pending, deaf = b"", 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if not select.select([vm.stdout], [], [], min(left, LOOK_S))[0]:
            deaf = deaf + 1 if is_deaf(monitor) else 0
            if deaf == DEAF_LOOKS or tells_of_hang(out):
                raise KernelHang
            continue
        deaf = 0
        data = os.read(vm.stdout.fileno(), 65536)
        if not data:
            return
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").rstrip("\r")


def show(line, args):
    """Prints one line of the program. TAP is kept until its program has ended, for it may have to begin anew; what
    is not TAP becomes a comment."""
    if not args.tap:
        print(line, flush=True)
    elif re.match(r"(not )?ok\b|1\.\.\d|Bail out!|#|TAP version", line):
        args.kept.append(line)
    else:
        args.kept.append(f"# {line}")


def boot(args, work, stage, deadline):
    """Runs one boot; returns (exit status or None, whether a reboot was asked for)."""
    image, version = find_kernel()
    with open(os.path.join(work, "initramfs"), "wb") as file:
        file.write(build_initramfs(version, job_text(args.program, stage), needed_folders(args.program)))
    vm = subprocess.Popen(qemu_command(args, work, image), cwd=work,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    reboot = False
    try:
        monitor = os.path.join(work, "monitor")
        for line in output_lines(vm, args.out, monitor, deadline):
            text, word, rest = REQUEST.match(line).groups()
            if text or not word:
                show(text, args)
            if word == "MON":
                give_to_monitor(monitor, rest)
            elif word == "CARD":
                card, _, change = rest.partition(" ")
                args.cards[card] = change
            elif word == "REBOOT":
                reboot = True
            elif word == "CUT":
                return 0, True
            elif word == "RC":
                return int(rest), reboot
        return None, False
    finally:
        vm.kill()
        vm.wait()


def show_console(out):
    """Prints the kernel's last words."""
    with open(os.path.join(out, "console.log"), encoding="utf-8", errors="replace") as file:
        for line in file.readlines()[-30:]:
            print(f"# console: {line.rstrip()}", flush=True)


def prepare(args, work):
    """A host as it has never run: empty disks, an empty console."""
    open(os.path.join(args.out, "console.log"), "w", encoding="utf-8").close()
    for core in glob.glob(f"{glob.escape(args.out)}/core.*"):
        os.remove(core)
    args.kept, args.cards = [], {}
    for name, size in DISKS.items():
        with open(os.path.join(work, name), "wb") as image:
            image.truncate(0)
            image.truncate(size)


def run_stages(args, work, deadline):
    """Boots as often as the program asks for; returns the exit status."""
    stage, reboot = 0, True
    while reboot:
        status, reboot = boot(args, work, stage, deadline)
        stage += 1
    return status


def run(args, work):
    """Runs the program, again if the kernel hangs; returns the exit status."""
    args.out = os.path.abspath(args.out or os.path.join(work, "out"))
    os.makedirs(args.out, exist_ok=True)
    deadline, status = time.monotonic() + args.timeout, None
    for attempt in range(MAX_HANGS + 1):
        prepare(args, work)
        try:
            status = run_stages(args, work, deadline)
            break
        except KernelHang:
            print(f"# testbed: the guest's kernel hangs (attempt {attempt + 1})", flush=True)
        except TimeoutError:
            print(f"# testbed: timed out after {args.timeout:g} s", flush=True)
            status = 124
            break
    for line in args.kept:
        print(line, flush=True)
    if status in (None, 124):
        show_console(args.out)
    return 125 if status is None else status


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout", type=float, default=300, help="seconds for the whole run (default 300)")
    parser.add_argument("--out", help="folder that the guest sees as /out (default: a temporary one)")
    parser.add_argument("--memory", type=int, default=4096, help="guest memory in MiB (default 4096)")
    parser.add_argument("--bare", action="store_true", help="without the PCI devices")
    parser.add_argument("--desk", action="store_true", help="with a display and a keyboard")
    parser.add_argument("--tap", action="store_true", help="the program speaks TAP: mark all else as comments")
    parser.add_argument("--kernel-args", default="", help="more words for the kernel's command line")
    parser.add_argument("program", nargs="+")
    args = parser.parse_args()
    args.program[0] = os.path.abspath(args.program[0])
    # A signal must end the VM as well: leave through `finally`.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        with tempfile.TemporaryDirectory(prefix="testbed.") as work:
            sys.exit(run(args, work))
    except TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        sys.exit(125)


if __name__ == "__main__":
    main()
