/* histogram_add.h - the sum of two native histograms. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "model/histogram.h"

/* into += more. Exponential ones meet at the coarser schema and the wider zero bucket; nothing is lost but
 * resolution. False, and nothing changed: custom bounds
 * that differ, one kind with the other, or more buckets than a histogram may have even at the coarsest
 * schema. New arrays are the arena's. */
bool histogram_add(struct histogram *into, const struct histogram *more, struct arena *);
