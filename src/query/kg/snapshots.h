/* snapshots.h - snapshots of knowledge graphs out of the logs, newest first.
 *
 * A snapshot's id is the time of its record and a hash of what it says:
 * "1790000000000000000-0123456789abcdef". Records that are no right snapshots are left out; model/kgot.h says
 * what is right.
 *
 * Threads: as the store's views. Memory: the call's arena. */
#pragma once
#include "model/kgot.h"
#include "model/store.h"

#define KG_ID_MAX 40

struct kg_snapshot {
    struct record record; /* copied */
    struct kgot_snapshot of;
    struct str task, correlation, service;
    char id[KG_ID_MAX];
};

struct kg_snapshot_ask {
    struct str graph_id, task, correlation, service; /* empty: any */
    int64_t from_ns, to_ns;
    size_t limit;
};

struct kg_snapshots {
    struct kg_snapshot *at;
    size_t n, cap;
    bool truncated;
};

int kg_snapshots(struct store_view *, struct call *, const struct kg_snapshot_ask *, struct kg_snapshots *,
                 struct err *);
/* ERR_PARSE: no id; ERR_FIND: not there. */
int kg_snapshot_by_id(struct store_view *, struct call *, struct str id, struct kg_snapshot *, struct err *);
