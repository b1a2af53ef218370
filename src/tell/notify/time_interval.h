/* time_interval.h - named stretches of the week, month and year in which routes are mute or active.
 *
 * An interval is a list of alternatives; of each all the kinds of ranges it names must hold. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/yaml.h"
#include "tell/notify/zone.h"

struct time_range {
    int from, to; /* both included, but for minutes: `to` is the first one after */
};

struct time_ranges {
    struct time_range *at;
    size_t n; /* 0: any */
};

struct time_span {
    struct time_ranges minutes, weekdays, days, months, years;
    struct zone *zone;
};

struct time_interval {
    struct str name;
    struct time_span *at;
    size_t n;
};

/* map: {name: X, time_intervals: [...]}. ERR_PARSE with the line. Release it whether this fails or not. */
int time_interval_read(struct yaml *map, struct arena *, struct time_interval *, struct err *);
void time_interval_release(struct time_interval *);
bool time_interval_holds(const struct time_interval *, int64_t now_ms);
