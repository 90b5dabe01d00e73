// SPDX-License-Identifier: GPL-2.0
/* ckptinfo - describe and check a checkpoint image */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"
#include "util.h"

enum {
	EXIT_GOOD	= 0,
	EXIT_BAD	= 1,
	EXIT_USAGE	= 2,
};

struct options {
	bool json;
	bool verify;
	bool records;
	const char *file;
};

static void print_usage(FILE *f)
{
	fputs("Usage: ckptinfo [OPTION]... FILE\n"
	      "Describe the checkpoint image FILE (- is the standard input).\n"
	      "\n"
	      "      --verify   check everything, the contents of memory too; say no more\n"
	      "      --records  list the records of the image\n"
	      "      --json     write JSON\n"
	      "  -h, --help     this text\n"
	      "\n"
	      "Exit status: 0 nothing wrong was found; 1 the image is damaged or cannot be\n"
	      "read; 2 usage.\n", f);
}

static __noreturn void usage_error(void)
{
	fputs("Try 'ckptinfo --help'.\n", stderr);
	exit(EXIT_USAGE);
}

static void parse_options(struct options *o, int argc, char **argv)
{
	enum { OPT_JSON = 256, OPT_VERIFY, OPT_RECORDS };
	static const struct option longopts[] = {
		{ "json", no_argument, NULL, OPT_JSON },
		{ "verify", no_argument, NULL, OPT_VERIFY },
		{ "records", no_argument, NULL, OPT_RECORDS },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) >= 0) {
		switch (c) {
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_VERIFY:
			o->verify = true;
			break;
		case OPT_RECORDS:
			o->records = true;
			break;
		case 'h':
			print_usage(stdout);
			exit(EXIT_GOOD);
		default:
			usage_error();
		}
	}
	if (argc - optind != 1) {
		msg(optind == argc ? "which image? FILE is missing" :
		    "one FILE at a time");
		usage_error();
	}
	if (o->json && o->records) {
		msg("give either --json or --records");
		usage_error();
	}
	o->file = argv[optind];
}

static void print_record(const struct ckpt_record *r)
{
	const char *name = ckpt_rec_name(r->type);

	printf("%12llu  %8llu  ", r->offset, r->number);
	if (name)
		printf("%-14s", name);
	else
		printf("%-#14x", r->type);
	printf("  %8u", r->len);
	if (r->payload_len)
		printf("  and %llu bytes of payload at %llu", r->payload_len,
		       r->payload_offset);
	putchar('\n');
}

static int open_file(const char *file)
{
	int fd;

	if (!strcmp(file, "-")) {
		if (isatty(STDIN_FILENO)) {
			msg("an image is not read from a terminal");
			return -1;
		}
		return STDIN_FILENO;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		msg("cannot open %s: %s", file, strerror(errno));
	return fd;
}

static int describe(const struct options *o, const struct model *m)
{
	char size[32];

	if (o->json)
		return info_json(m, stdout) ? EXIT_BAD : EXIT_GOOD;
	if (m->error[0])
		fflush(stdout);
	else if (o->verify)
		printf("%s is complete and unharmed: %s, %llu records, %llu pages\n",
		       o->file, size_text(m->length, size, sizeof(size)),
		       m->records, m->tail->nr_pages);
	if (!o->verify && !o->records && m->header)
		info_text(m, stdout);
	return EXIT_GOOD;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct model *m;
	int fd, status;

	parse_options(&o, argc, argv);
	fd = open_file(o.file);
	if (fd < 0)
		return EXIT_BAD;
	if (o.records)
		printf("%12s  %8s  %-14s  %8s\n", "OFFSET", "NUMBER", "TYPE",
		       "LENGTH");
	m = model_read(fd, o.verify, o.records ? print_record : NULL);
	if (!m)
		return EXIT_BAD;
	status = describe(&o, m);
	if (fflush(stdout)) {
		msg("cannot write: %s", strerror(errno));
		status = EXIT_BAD;
	}
	if (m->error[0]) {
		msg("%s: %s", o.file, m->error);
		status = EXIT_BAD;
	}
	model_free(m);
	return status;
}
