#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void *mem_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    check(p != NULL);
    return p;
}

void *mem_alloc_zero(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    check(p != NULL);
    return p;
}

void *mem_realloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    check(q != NULL);
    return q;
}

void *mem_array(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1); /* calloc checks the product */
    check(p != NULL);
    return p;
}

void *mem_copy(const void *p, size_t n)
{
    void *q = mem_alloc(n);
    if (n > 0) memcpy(q, p, n);
    return q;
}

char *mem_strdup(const char *s)
{
    return mem_copy(s, strlen(s) + 1);
}

void mem_free(void *p)
{
    free(p);
}

void *mem_grow(void *array, size_t n, size_t *cap, size_t item_size)
{
    if (n < *cap) return array;
    size_t want = *cap ? *cap * 2 : 8;
    check(want <= (size_t)-1 / 2 / item_size);
    *cap = want;
    return mem_realloc(array, want * item_size);
}
