#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Single processes, see program_lib.sh.

DIR=/tmp/programs
. "${0%/*}/program_lib.sh"

export LONG
begin 6
cat >"$DIR/steps.py" <<'END'
import hashlib, os
h = hashlib.sha256()
with open("steps", "a", buffering=1) as log:
    words = {}
    for i in range(300 * int(os.environ["LONG"])):
        for j in range(400):
            h.update(str(i * j).encode())
            words[h.hexdigest()[:4]] = i
        log.write("%d %s %d\n" % (i, h.hexdigest(), len(words)))
print(len(words), sum(words.values()))
END
cat >"$DIR/steps.awk" <<'END'
BEGIN {
	for (i = 1; i <= 300 * ENVIRON["LONG"]; i++) {
		for (j = 0; j < 4000; j++)
			s = (s * 31 + j * i) % 1000003
		seen[s]++
		print i, s >>"steps"
		fflush("steps")
	}
	for (k in seen)
		n++
	print n, s
}
END
cat >"$DIR/steps.sh" <<'END'
i=0
s=0
while [ $i -lt $((300 * LONG)) ]; do
	i=$((i + 1))
	j=0
	while [ $j -lt 150 ]; do
		j=$((j + 1))
		s=$(((s * 31 + j * i) % 1000003))
	done
	echo "$i $s" >>steps
done
echo $s
END
echo "scale=60; for (i = 1; i <= $((2000 * LONG)); i++) { e(i / 1000) * s(i) }" \
	>"$DIR/steps.bc"
i=0
while [ $i -lt 30000 ]; do
	i=$((i + 1))
	echo "$i the quick brown fox $((i * i % 8191)) jumps over $((i * 7919 % 104729))"
done >"$DIR/text.1"
# Enough to be seen at work.
i=0
while [ $i -lt $((8 * LONG)) ]; do
	i=$((i + 1))
	cat "$DIR/text.1"
done >"$DIR/text"
rm "$DIR/text.1"

program python3 $((3 * LONG)) steps /usr/bin/python3 "$DIR/steps.py"
program gawk $((3 * LONG)) steps /usr/bin/gawk -f "$DIR/steps.awk"
program busybox-sh $((3 * LONG)) steps /bin/busybox sh "$DIR/steps.sh"
program bc $((3 * LONG)) stdout /usr/bin/bc -lq "$DIR/steps.bc"
program gzip $((3 * LONG)) stdout /usr/bin/gzip -9 -c "$DIR/text"
# Program and libraries are in an overlay, as they are in a container.
mkdir "$DIR/layers"
mount -t tmpfs layers "$DIR/layers"
mkdir "$DIR/layers/upper" "$DIR/layers/work"
mount -t overlay -o \
	"lowerdir=/usr,upperdir=$DIR/layers/upper,workdir=$DIR/layers/work" \
	overlay /usr
program overlay-python3 $((3 * LONG)) steps /usr/bin/python3 "$DIR/steps.py"
umount -l /usr
umount -l "$DIR/layers"
end
