/*
 * Inside of the option parser: one row per option of mainline, whether we have
 * it or not.
 */
#ifndef CRIU_OPTIONS_TABLE_H
#define CRIU_OPTIONS_TABLE_H

#include "options.h"

struct option_row {
	const char *name; /* long option; NULL: a heading of the help text */
	char short_name;  /* 0: none */
	int arg;	  /* no_argument, required_argument, optional_argument */
	bool negatable;	  /* --no-NAME exists */
	/* @on: false for --no-NAME; @value: NULL if none was given. 0 or -EINVAL (logged). */
	int (*set)(struct options *options, const struct option_row *row, const char *value, bool on);
	size_t offset;		/* of the field that set() fills, if it fills one */
	const char *value_name; /* for the help text */
	const char *help;	/* NULL: not shown */
};

extern const struct option_row option_table[];
extern const size_t option_table_len;

/* Words of a configuration file, in the form of a command line. */
typedef VEC(char *) option_words;

/**
 * options_config_parse - turn the text of a configuration file into words
 * @name:  of the file, for messages
 * @words: added to; the words live in @arena
 * Return: 0 or -EINVAL (logged with the line number)
 */
int must_check options_config_parse(const char *name, const char *text, struct arena *arena, option_words *words);

/**
 * options_config_read - the same with a file
 * Return: 0; 1 if the file cannot be opened; negative errno (logged)
 */
int must_check options_config_read(const char *path, struct arena *arena, option_words *words);

/** options_print_usage - the help text, or its short form, on stdout. */
void options_print_usage(bool full);

#endif
