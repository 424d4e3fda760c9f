/*
 * criu inspect: what is in a tree, or in an image directory, and who shares what with whom.
 *
 * Two sources fill one report (inspect-live.c, inspect-images.c), three writers show it (inspect-text.c,
 * inspect-json.c, inspect-html.c). Words that scripts see (kinds, decisions, states) are described in
 * Documentation/inspect.md.
 */
#ifndef CRIU_COMMANDS_INSPECT_H
#define CRIU_COMMANDS_INSPECT_H

#include <stdbool.h>
#include <stdio.h>

#include "image/model.h"
#include "kernel/features.h"
#include "options.h"
#include "util/mem.h"

struct report_task {
	pid_t pid, ppid;
	const char *comm;
	const char *state; /* running, sleeping, blocked, stopped, zombie, traced; in images: alive, stopped, zombie */
	pid_t *threads;
	size_t n_threads;
};

struct report_holder {
	pid_t pid;
	const char *comm;
	bool outside;	     /* of the tree; of images: when they were dumped */
	bool in_flight;	     /* in a message that waits at socket fd */
	int fd;		     /* -1: a mapping */
	pid_t thread;	     /* outside: in whose own table the descriptor is; 0: the process's */
	uint64_t start, end; /* of a mapping */
	const char *access;  /* "rw-s" as in /proc/PID/maps; "r", "w", "rw", "p" (O_PATH) for a descriptor */
};

enum decision {
	DECISION_OBJECT,  /* written once, as a shared object */
	DECISION_ATTACH,  /* stays with its holders outside, nothing is written */
	DECISION_COPY,	  /* written, although holders outside who share it keep theirs: the user says so */
	DECISION_GHOST,	  /* a copy */
	DECISION_LINK,	  /* a temporary hard link */
	DECISION_FILE,	  /* left to the file system */
	DECISION_CARRIED, /* left to the file system, and written as well */
	DECISION_REFUSED,
	DECISIONS
};

extern const char *const decision_words[DECISIONS];

struct report_object {
	uint32_t id;		/* 1, 2, ... in this report */
	const char *kind;	/* deleted-file, live-file, anonymous, memfd, sysv, other */
	const char *name;	/* path without " (deleted)", or what the kernel calls it */
	const char *filesystem; /* "tmpfs", "0x1234" where it is not a common one; NULL: not known */
	uint64_t size_bytes;
	int64_t allocated_bytes; /* on disk, in memory or in swap; in images: saved; -1: not known */
	int64_t resident_bytes;	 /* in memory; -1: not known */
	enum decision decision;
	const char *reason;
	VEC(struct report_holder) holders; /* sorted */
};

/* Why a dump would be refused, or images can't be restored. */
struct report_refusal {
	const char *text;
	pid_t task;	 /* 0: not of one task */
	uint32_t object; /* 0: not of one object */
};

struct report {
	pid_t root;		/* live */
	const char *images_dir; /* NULL: live */
	VEC(struct report_task) tasks;
	VEC(struct report_object *) objects;
	VEC(struct report_refusal) refusals;
	struct arena *arena;	   /* everything above */
	struct arena *model_arena; /* of images; or NULL */
	struct hash by_pid;	   /* pid -> comm of a task */
};

void report_init(struct report *report);
void report_free(struct report *report);

/** report_add_task - @comm is copied; the pointer is valid until the next task. */
struct report_task *report_add_task(struct report *report, pid_t pid, pid_t ppid, const char *comm, size_t n_threads);

/** report_sort_holders - by task, mappings first, outsiders last. */
void report_sort_holders(struct report_object *object);

/** report_add_object - a new one with the next id; the caller fills it. */
struct report_object *report_add_object(struct report *report);

/** report_add_refusal - @text is copied. */
void report_add_refusal(struct report *report, const char *text, pid_t task, uint32_t object);

/** report_comm - of a task of the report; "?" if there is none. */
const char *report_comm(const struct report *report, pid_t pid);

/* Sources. 0 also if there are refusals; negative errno, logged. */
int must_check inspect_live(const struct options *options, const struct kernel_features *features, struct report *ret);
int must_check inspect_images(const struct options *options, const struct kernel_features *features,
			      struct report *ret);

/**
 * inspect_external - the holders outside that images recorded of @object, and what restore does about them
 * Of inspect_images(), when all holders of the tree are there; errors are held (log_hold_errors()).
 */
void inspect_external(const ExternalObjectEntry *entry, const struct options *options, struct report *report,
		      struct report_object *object);

/* Writers. Errors of writing stay in the stream. */
void inspect_text(const struct report *report, FILE *out);
void inspect_json(const struct report *report, FILE *out);
void inspect_html(const struct report *report, FILE *out);

/** inspect_svg - the picture of inspect_html(): who shares what with whom. */
void inspect_svg(const struct report *report, FILE *out);

/* --- for the writers -------------------------------------------------------------- */

/** report_size - "64.0 MiB", in @buf. */
const char *report_size(uint64_t bytes, char buf[32]);

/** report_kind_text - "deleted file". */
const char *report_kind_text(const struct report_object *object);

/** report_may_write - can @holder write to the object? Not through a private mapping. */
bool report_may_write(const struct report_holder *holder);

/** report_verdict - the sentence about the whole, without its full stop. */
const char *report_verdict(const struct report *report);

/* What would have a dump refused and can't be seen of tasks that run. */
struct report_unknown {
	const char *word;
	const char *text; /* "whether ..." */
};

/** report_unknowns - of a live report; *ret_n is 0 for images. */
const struct report_unknown *report_unknowns(const struct report *report, size_t *ret_n);

#endif
