/* regex.h - RE2 behind C: linear time, bounded memory, the syntax Prometheus promises.
 *
 * A matcher regex is anchored at both ends and `.` matches newlines. Literals, sets of literals, prefixes and
 * suffixes are recognised at compile time and never reach RE2; callers with an index may use them to narrow
 * their search. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REGEX_TEXT_MAX     16384
#define REGEX_CAPTURES_MAX 64

struct regex;

/* Anchored both ends, dot matches newline. ERR_PARSE with RE2's words, ERR_LIMIT when too long or too large a
 * program. */
int regex_new(struct str pattern, struct regex **out, struct err *);
/* Not anchored: regex_match asks whether it is found anywhere. It has no prefix and no literals. */
int regex_new_search(struct str pattern, struct regex **out, struct err *);
void regex_free(struct regex *); /* NULL is fine */

bool regex_match(const struct regex *, struct str text); /* thread-safe */

/* Captures 0..n-1 of a full match; unmatched groups have p == NULL. */
bool regex_capture(const struct regex *, struct str text, struct str *groups, size_t n);
/* The leftmost match at or after `from`, of a regex_new_search; ^ and \b see the whole text. */
bool regex_find(const struct regex *, struct str text, size_t from, struct str *groups, size_t n);
size_t regex_groups(const struct regex *);                    /* without group 0 */
int regex_group_named(const struct regex *, struct str name); /* index or -1 */

/* Append replacement with $1, ${1}, $name, ${name}, $$ expanded, Go's way (unknown groups expand to nothing).
 */
struct buf;
void regex_expand(const struct regex *, struct str text, const struct str *groups, size_t n,
                  struct str replacement, struct buf *out);

/* What is known without running it: the pattern equals one of these literals exactly (n of them), or NULL. */
const struct str *regex_literals(const struct regex *, size_t *n);
struct str regex_prefix(const struct regex *); /* every match starts with this; may be empty */
struct str regex_text(const struct regex *);

#ifdef __cplusplus
}
#endif
