#ifndef ZDTM_ASM_ATOMIC_H
#define ZDTM_ASM_ATOMIC_H

/*
 * 32-bit atomic counter with full ordering. The kernel's futex calls may be
 * pointed at &v->counter.
 */
typedef struct {
	int counter;
} atomic_t;

#define ATOMIC_INIT(i)                                                                                                 \
	{                                                                                                              \
		(i)                                                                                                    \
	}

static inline int atomic_read(const atomic_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_SEQ_CST);
}

static inline int atomic_get(const atomic_t *v)
{
	return atomic_read(v);
}

static inline void atomic_set(atomic_t *v, int i)
{
	__atomic_store_n(&v->counter, i, __ATOMIC_SEQ_CST);
}

/* The *_return forms return the new value, atomic_inc and atomic_dec the old one. */
static inline int atomic_add_return(int i, atomic_t *v)
{
	return __atomic_add_fetch(&v->counter, i, __ATOMIC_SEQ_CST);
}

static inline int atomic_sub_return(int i, atomic_t *v)
{
	return __atomic_sub_fetch(&v->counter, i, __ATOMIC_SEQ_CST);
}

static inline int atomic_inc(atomic_t *v)
{
	return __atomic_fetch_add(&v->counter, 1, __ATOMIC_SEQ_CST);
}

static inline int atomic_dec(atomic_t *v)
{
	return __atomic_fetch_sub(&v->counter, 1, __ATOMIC_SEQ_CST);
}

#define atomic_add(i, v)       ((void)atomic_add_return(i, v))
#define atomic_sub(i, v)       ((void)atomic_sub_return(i, v))
#define atomic_inc_return(v)   atomic_add_return(1, v)
#define atomic_dec_return(v)   atomic_sub_return(1, v)
#define atomic_dec_and_test(v) (atomic_sub_return(1, v) == 0)

/* Returns the value found; the exchange took place if that equals @old. */
static inline int atomic_cmpxchg(atomic_t *v, int old, int new)
{
	__atomic_compare_exchange_n(&v->counter, &old, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

#endif
