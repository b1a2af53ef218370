/* mem.h - the heap. Running out of memory is not an error path here: it aborts, and the WAL recovers
 * (ceilings and budgets refuse work long before). So nobody checks for NULL. */
#pragma once
#include <stddef.h>

void *mem_alloc(size_t n);              /* yours; not zeroed */
void *mem_alloc_zero(size_t n);         /* yours; zeroed */
void *mem_realloc(void *p, size_t n);   /* p may be NULL */
void *mem_array(size_t n, size_t size); /* zeroed; n * size is checked for overflow */
void *mem_copy(const void *p, size_t n);
char *mem_strdup(const char *s);
void mem_free(void *p); /* NULL is fine */

/* Make room for one more item in a growing array: doubles *cap when n has reached it. Returns the array. */
void *mem_grow(void *array, size_t n, size_t *cap, size_t item_size);
