#ifndef ZDTM_XMALLOC_H
#define ZDTM_XMALLOC_H

#include "zdtmtst.h"

/* Allocators that leave a message behind when they return NULL. */
#define __xalloc(call)                                                                                                 \
	({                                                                                                             \
		void *___p = (call);                                                                                   \
		if (!___p)                                                                                             \
			pr_err("out of memory: %s\n", #call);                                                          \
		___p;                                                                                                  \
	})

#define xmalloc(size)	  __xalloc(malloc(size))
#define xzalloc(size)	  __xalloc(calloc(1, size))
#define xcalloc(n, size)  __xalloc(calloc(n, size))
#define xrealloc(p, size) __xalloc(realloc(p, size))
#define xstrdup(s)	  __xalloc(strdup(s))
#define xfree(p)	  free((void *)(p))

#endif
