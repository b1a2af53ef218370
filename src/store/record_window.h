/* record_window.h - stretches of time that a scan in order of time takes one after the other. */
#pragma once
#include "store/record_source.h"

#define WINDOW_FEW 8 /* a window with fewer pieces may be wider */

struct window { /* closed */
    int64_t from_ns, to_ns;
};

/* Newest first: from the last time of any piece that is not beyond `edge`, `width` back; false: no piece is
 * left. */
bool window_before(const struct record_sources *, int64_t edge, int64_t width, struct window *);
bool window_after(const struct record_sources *, int64_t edge, int64_t width, struct window *);
/* Its far end moves to where a bucket ends: a block lies in one bucket, and is then read in one window. */
void window_whole_buckets(const struct record_sources *, bool desc, struct window *);
bool window_has(const struct record_piece *, const struct window *);
/* So wide that about `rows` rows lie in it, if time is as full as it is around the edge. */
int64_t window_slice_ns(const struct record_sources *, bool desc, double rows);
/* After this one: windows of few pieces may be wider. */
int64_t window_next_width(const struct record_sources *, const struct window *, int64_t width);
