#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# make -j4 builds a project of C with gcc, half of it by a make of its own: saved,
# killed and brought back twenty times during one build. No file is compiled twice,
# and all are what they are without. The makes share a jobserver, which is a pipe,
# or since make 4.4 a FIFO; so that there is one in any case, bash does with a FIFO
# what make does. See program_lib.sh.

DIR=/tmp/build
. "${0%/*}/program_lib.sh"

export LONG
begin 2

# The compiler is called by way of a script that writes down what it makes.
cat >"$DIR/cc" <<'EOF'
#!/bin/sh
echo "$1" >>made.any-order
exec gcc -O2 -o "$@"
EOF
chmod 755 "$DIR/cc"

# make_project FILES: so many files of functions, and a program that calls all
make_project()
{
	mkdir "$DIR/src"
	awk -v n="$1" -v dir="$DIR/src" '
	function c(s) { print s >file }
	BEGIN {
		for (i = 1; i <= n; i++) {
			file = dir "/f" i ".c"
			c("#include <stdint.h>\n#include <stdio.h>")
			c("#include <stdlib.h>\n#include <string.h>")
			for (j = 1; j <= 4; j++) {
				c("static uint64_t g" j "(uint64_t x)\n{")
				c("\tchar text[64];")
				c("\tfor (int k = 0; k < " j + 2 "; k++)")
				c("\t\tx = x * " 2 * i + 1 " + (x >> " j ") + k;")
				c("\tsnprintf(text, sizeof(text), \"%llu\", (unsigned long long)x);")
				c("\treturn strlen(text) * x ^ strtoul(text, NULL, 9);\n}")
			}
			c("uint64_t f" i "(uint64_t x)\n{")
			for (j = 1; j <= 4; j++)
				c("\tx += g" j "(x);")
			c("\treturn x;\n}")
			close(file)
			objs[i % 2] = objs[i % 2] " f" i ".o"
		}
		file = dir "/main.c"
		c("#include <stdint.h>\n#include <stdio.h>")
		for (i = 1; i <= n; i++)
			c("uint64_t f" i "(uint64_t);")
		c("int main(void)\n{\n\tuint64_t x = 1;")
		for (i = 1; i <= n; i++)
			c("\tx = f" i "(x);\n\tprintf(\"%llx\\n\", (unsigned long long)x);")
		c("\treturn 0;\n}")
		file = dir "/Makefile"
		c("all: prog\n\t./prog >out\n")
		c("prog: main.o" objs[0] " half\n\t@" ENVIRON["CC"] \
		  " prog main.o" objs[0] objs[1] "\n")
		c("half:\n\t@$(MAKE) --no-print-directory -f ../src/Makefile" objs[1] "\n")
		c("%.o: ../src/%.c\n\t@" ENVIRON["CC"] " $@ -c $<\n")
		c(".PHONY: half")
	}'
}
export CC="$DIR/cc"


# Workers take a token each before they do the second half of their work, and give
# it back: three at a time.
cat >"$DIR/tokens.bash" <<'END'
compute()
{
	local i

	for ((i = 0; i < 500; i++)); do
		((x = (x * 31 + $1 * i) % 1000003)) || :
	done
}
worker()
{
	local n x token

	exec 9<>tokens
	for ((n = $1; n < 60 * LONG; n += 5)); do
		x=0
		compute $n
		read -r -N 1 -u 9 token
		compute $n
		echo "$n $x" >>steps.any-order
		printf %s "$token" >&9
	done
}
set -e
mkfifo tokens
exec 8<>tokens
printf abc >&8
for n in 0 1 2 3 4; do
	worker $n &
done
wait
read -r -N 3 -u 8 tokens
grep -o . <<<"$tokens" | sort
read -r -t 0 -u 8 && exit 1
rm tokens
END

make_project $((20 * LONG))
# shellcheck disable=SC2046
program "make -j4" $((15 + 5 * LONG)) made.any-order make -j4 \
	$(make --help | sed -n 's/.*\(--jobserver-style=\).*/\1fifo/p') \
	-f "$DIR/src/Makefile"
program "bash with a FIFO of tokens" $((5 * LONG)) steps.any-order \
	/usr/bin/bash "$DIR/tokens.bash"
end
