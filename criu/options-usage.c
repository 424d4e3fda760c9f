#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "options-table.h"

#define HELP_COLUMN 32

static const char usage_text[] = "Usage:\n"
				 "  criu dump -t PID [options]\n"
				 "  criu restore [options]\n"
				 "  criu inspect -t PID | -D DIR [--json] [--html FILE] [options]\n"
				 "  criu check [--feature NAME] [options]\n"
				 "  criu convert --to-mainline [options]\n"
				 "  criu -h | --help\n"
				 "  criu -V | --version\n";

static const char commands_text[] =
	"\nCommands:\n"
	"  dump      save a process tree into image files, then kill it unless told otherwise\n"
	"  restore   make the tree again from image files\n"
	"  inspect   tell what a dump would do, and who shares memory with whom; nothing is stopped\n"
	"  check     tell what this kernel can do\n"
	"  convert   turn an images directory into one that the original CRIU restores\n"
	"\nA flag marked with * can be switched off by --no-OPTION. Configuration files:\n"
	"/etc/criu/default.conf, $HOME/.criu/default.conf, $CRIU_CONFIG_FILE.\n";

static int print_name(const struct option_row *row)
{
	int n = row->short_name ? printf("  -%c, ", row->short_name) : printf("      ");

	n += printf("--%s%s", row->name, row->negatable ? "*" : "");
	if (row->value_name && row->arg == optional_argument)
		n += printf("[=%s]", row->value_name);
	else if (row->value_name)
		n += printf(" %s", row->value_name);
	return n;
}

static void print_row(const struct option_row *row)
{
	int n;

	if (!row->name) {
		printf("\n%s:\n", row->help);
		return;
	}
	n = print_name(row);
	if (n >= HELP_COLUMN)
		n = printf("\n") - 1;
	printf("%*s%s\n", HELP_COLUMN - n, "", row->help);
}

void options_print_usage(bool full)
{
	fputs(usage_text, stdout);
	if (!full) {
		fflush(stdout);
		return;
	}
	fputs(commands_text, stdout);
	for (size_t i = 0; i < option_table_len; i++)
		if (option_table[i].help)
			print_row(&option_table[i]);
	fflush(stdout);
}
