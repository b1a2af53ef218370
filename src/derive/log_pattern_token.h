/* log_pattern_token.h - a log line cut into words, marks and values, by what it looks like alone.
 *
 * Values: whatever has a digit in it, paths and URLs, dotted names (hosts, classes, packages), addresses with
 * @, names of days and months, long hexadecimal words, and what follows "user", "host" or "id". Values side
 * by side, or with a mark between them as in times and lists, are one value; so is a value and its unit; an
 * empty pair of brackets or quotes and an empty place behind = hold a value, too. */
#pragma once
#include "derive/log_pattern.h"

enum log_token_kind { TOKEN_WORD, TOKEN_MARK, TOKEN_VALUE };

struct log_token {
    enum log_token_kind kind;
    bool spaced;     /* white space before it */
    struct str text; /* of the line; empty for a value */
    uint64_t hash;   /* of kind and text */
};

struct log_tokens {
    size_t n;
    struct log_token at[LOG_PATTERN_TOKENS_MAX];
};

void log_tokens_of(struct str line, struct log_tokens *);
