#!/bin/sh
# provoke.sh IMAGE OBJECTS LOG KERNEL_ARGUMENT...
#
# Boots IMAGE, built in OBJECTS, has it go wrong as the arguments say, and keeps
# what matters of its console in LOG. ROOTLESS=1 boots without an initramfs, and
# after LIMIT seconds a guest that has not ended is ended.
set -eu
image=$1 objects=$2 log=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

initrd=
if [ -z "${ROOTLESS:-}" ]; then
	cp "$here/Kbuild" "$here/provoke.c" "$work"
	make -s -C "$objects" M="$work" KBUILD_MODPOST_WARN=1 modules >&2
	gcc -O1 -static -o "$work/init" "$here/init.c"
	"$objects/usr/gen_init_cpio" - >"$work/initrd" <<-END
		dir /dev 755 0 0
		nod /dev/console 600 0 0 c 5 1
		dir /sys 755 0 0
		file /init $work/init 755 0 0
		file /provoke.ko $work/provoke.ko 644 0 0
	END
	initrd="-initrd $work/initrd"
fi

# Two sockets: without ACPI the kernel sees one CPU of each.
# shellcheck disable=SC2086
timeout --foreground "${LIMIT:-120}" qemu-system-x86_64 -accel tcg -machine q35 \
	-m 1G -smp 2,sockets=2 -nic none -display none -monitor none -serial "file:$work/console" \
	-no-reboot -kernel "$image" $initrd \
	-append "console=ttyS0 panic=-1 $*" || true

# The version, and what came after the boot, or its end where there was no more.
# Only UBSAN names the source by its whole path.
source=$(sed -n 's|^include \(.*\)/Makefile$|\1|p' "$objects/Makefile")
tr -d '\r' <"$work/console" | sed "s|$source/||" >"$work/lines"
grep 'Linux version' "$work/lines" >"$log"
if grep -q 'Run /init as init process' "$work/lines"; then
	sed -n '/Run \/init as init process/,$p' "$work/lines" | head -n 140 >>"$log"
else
	tail -n 40 "$work/lines" >>"$log"
fi
