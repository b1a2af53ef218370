/* pattern.h - lines taken apart by literals between captures: "<ip> - - <_> \"<method> <path> <_>\"".
 *
 * Two uses: the pattern parser, whose captures have names and which is anchored at the line's start, and the
 * pattern filters |> and !>, which know only <_> and must match the whole line. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define LINE_PATTERN_MAX 128 /* captures */

struct line_pattern;

/* with_names: at least one named capture, no name twice; else only <_>. ERR_PARSE. */
int line_pattern_new(struct str text, bool with_names, struct arena *, struct line_pattern **out,
                     struct err *);

bool line_pattern_matches(const struct line_pattern *, struct str line); /* the whole line */

/* Captures from the front: how many have been found; values[i] of names[i], unnamed ones left out. */
size_t line_pattern_capture(const struct line_pattern *, struct str line, struct str *values);
const struct str *line_pattern_names(const struct line_pattern *, size_t *n);

struct str line_pattern_literal(const struct line_pattern *); /* the longest; every match has it */
