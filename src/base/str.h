/* str.h - a borrowed run of bytes: not terminated, not owned, may hold any byte. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
#define STR_ARG(s)   (int)(s).n, (s).p /* for "%.*s" */

static inline struct str str_of(const char *s)
{
    return (struct str){ s, s ? strlen(s) : 0 };
}

static inline struct str str_make(const void *p, size_t n)
{
    return (struct str){ (const char *)p, n }; /* the cast is for the C++ shims */
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

int str_cmp(struct str a, struct str b); /* by bytes, the shorter first: UTF-8 order */
bool str_is_nocase(struct str a, const char *b);
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
struct str str_trim(struct str s); /* without spaces, tabs, CR, LF at both ends */

/* The piece before the first sep, and *rest what follows it (empty when there is no sep). */
struct str str_cut(struct str s, char sep, struct str *rest);

bool str_utf8_valid(struct str s); /* no overlong forms, surrogates, or code points beyond U+10FFFF */

/* Whole-string numbers; false when anything is left over or out of range. */
bool str_to_i64(struct str s, int64_t *out);
bool str_to_u64(struct str s, uint64_t *out);

char *str_dup(struct str s); /* yours; terminated */
