/* store_gauges.h - how much the store holds, as gauges of our own, for any engine behind the waist. */
#pragma once
#include "base/stat.h"
#include "model/store.h"

#define STORE_GAUGES 22

struct store_gauges {
    struct stat *asked[STORE_GAUGES];
};

void store_gauges_start(struct store_gauges *, struct store *); /* borrows the store */
void store_gauges_stop(struct store_gauges *); /* before the store is closed; zeroed is fine */
