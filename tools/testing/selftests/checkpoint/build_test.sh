#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# make -j4 builds a project of C with gcc: saved, killed and brought back twenty
# times during one build. No file is compiled twice, and all are what they are
# without. See program_lib.sh.

DIR=/tmp/build
. "${0%/*}/program_lib.sh"

begin 1

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
			objs = objs " f" i ".o"
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
		c("prog: main.o" objs "\n\t@" ENVIRON["CC"] " prog $^\n")
		c("%.o: ../src/%.c\n\t@" ENVIRON["CC"] " $@ -c $<")
	}'
}
export CC="$DIR/cc"

make_project $((20 * LONG))
program "make -j4" $((20 * LONG)) made.any-order make -j4 -f "$DIR/src/Makefile"
end
